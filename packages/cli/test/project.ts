import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A folder with the files of an application, and this package's dependencies installed in it. */
export interface Project extends AsyncDisposable {
  readonly folder: string;
  write(path: string, text: string): Promise<string>;
}

const dependencies = fileURLToPath(new URL("../node_modules", import.meta.url));

export async function createProject(files: Readonly<Record<string, string>> = {}): Promise<Project> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "taskferry-cli-")));
  const write = async (path: string, text: string): Promise<string> => {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    return file;
  };
  await symlink(dependencies, join(folder, "node_modules"));
  await write("package.json", JSON.stringify({ name: "an-application", type: "module" }));
  for (const [path, text] of Object.entries(files)) await write(path, text);
  return { folder, write, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
