import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";

/** A picture that is no single colour: a coloured disc on a gradient. */
export function draw(width: number, height: number, colour = "#d9503f"): Sharp {
  return sharp(
    Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
      <defs><linearGradient id="g"><stop stop-color="#123"/><stop offset="1" stop-color="#9cf"/></linearGradient></defs>
      <rect width="${width}" height="${height}" fill="url(#g)"/>
      <circle cx="${width / 2}" cy="${height / 2}" r="${Math.min(width, height) / 3}" fill="${colour}"/></svg>`),
  );
}

export interface Folder extends AsyncDisposable {
  readonly path: string;
}

/** A folder of its own with these files. */
export async function folderOf(files: Readonly<Record<string, Buffer | string>>): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), "taskferry-demo-test-"));
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
