import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import ts from "typescript";

export interface Sample {
  readonly page: string;
  /** Of its first line in the page. */
  readonly line: number;
  readonly code: string;
}

/** Every `ts` block of the documentation. */
export async function findSamples(root: string): Promise<readonly Sample[]> {
  return (await Promise.all((await pages(root)).map((page) => samplesIn(root, page)))).flat();
}

/** Compiles each sample as a module of its own, beside stand-ins for what it leaves out, and answers what is wrong. */
export function checkSamples(root: string, samples: readonly Sample[]): readonly string[] {
  const folder = join(root, "apps", "examples", "test", "samples");
  const virtual = new Map(samples.map((sample, index) => [join(folder, `${index}.ts`), sample]));
  const program = programOf(folder, virtual);
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => describe(diagnostic, virtual, root));
}

async function pages(root: string): Promise<readonly string[]> {
  const docs = await readdir(join(root, "docs"), { recursive: true });
  const folders = ["packages", "apps"].map(async (group) =>
    (await readdir(join(root, group))).map((name) => join(group, name, "README.md")),
  );
  return [
    "README.md",
    "CONTRIBUTING.md",
    ...docs.map((page) => join("docs", page)),
    ...(await Promise.all(folders)).flat(),
  ]
    .filter((page) => page.endsWith(".md"))
    .sort();
}

async function samplesIn(root: string, page: string): Promise<readonly Sample[]> {
  const lines = (await readFile(join(root, page), "utf8")).split("\n");
  const samples: Sample[] = [];
  let begun: { readonly line: number; readonly indent: number } | undefined;
  for (const [index, text] of lines.entries()) {
    if (begun === undefined && text.trim() === "```ts") begun = { line: index + 1, indent: text.indexOf("```") };
    else if (begun !== undefined && text.trim() === "```") {
      const { line, indent } = begun;
      const code = lines.slice(line, index).map((each) => each.slice(indent));
      samples.push({ page, line: line + 1, code: code.join("\n") });
      begun = undefined;
    }
  }
  return samples;
}

function programOf(folder: string, virtual: ReadonlyMap<string, Sample>): ts.Program {
  const { config } = ts.readConfigFile(join(folder, "tsconfig.json"), ts.sys.readFile) as { config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, folder);
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile: read } = host;
  host.fileExists = (file) => virtual.has(file) || fileExists(file);
  host.readFile = (file) => {
    const sample = virtual.get(file);
    return sample === undefined ? read(file) : moduleOf(sample);
  };
  return ts.createProgram({
    rootNames: [join(folder, "stand-ins.d.ts"), ...virtual.keys()],
    options,
    host,
  });
}

/** A sample leaves out with `...` what its reader knows; the compiler gets something that fits anywhere. */
function moduleOf({ code }: Sample): string {
  const complete = code
    .replaceAll("=> { ... }", "=> { return undefined as never; }")
    .replaceAll("; ... }", "; return undefined as never; }")
    .replaceAll("{ ... }", "{}")
    .replaceAll(/=> \.\.\.(?=[,;)])/g, "=> undefined as never")
    .replaceAll(/"(?:\.\.\/)+src\/index\.ts"/g, '"./my-broker.ts"');
  return `${complete}\nexport {};\n`;
}

function describe(diagnostic: ts.Diagnostic, virtual: ReadonlyMap<string, Sample>, root: string): string {
  const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n");
  const { file, start } = diagnostic;
  if (file === undefined || start === undefined) return message;
  const { line } = file.getLineAndCharacterOfPosition(start);
  const sample = virtual.get(file.fileName);
  const place =
    sample === undefined ? `${relative(root, file.fileName)}:${line + 1}` : `${sample.page}:${sample.line + line}`;
  return `${place} ${message}`;
}
