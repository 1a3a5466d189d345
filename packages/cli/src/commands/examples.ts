/** A command line, and what it does. */
export type Example = readonly [line: string, purpose: string];

/** The examples at the end of a command's help. */
export function examples(list: readonly Example[], notes = ""): string {
  const width = Math.max(...list.map(([line]) => line.length));
  const lines = list.map(([line, purpose]) => `  $ ${line.padEnd(width)}  # ${purpose}`);
  return ["", "Examples:", ...lines, ...(notes === "" ? [] : ["", notes])].join("\n");
}
