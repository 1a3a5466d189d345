/** The program of an isolate. Only in its repository does this package run from source. */
export function isolateEntry(): URL {
  const isSource = import.meta.url.endsWith(".ts");
  return new URL(isSource ? "../../../source-isolate.mjs" : "../isolate/main.js", import.meta.url);
}

const megabyte = 1_048_576;

/** Whole megabytes of memory, at least so many that an empty program runs. */
export function toMegabytes(bytes: number): number {
  return Math.max(16, Math.round(bytes / megabyte));
}
