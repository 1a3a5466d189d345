import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The path of a file in a folder of its own, and how to remove both. */
export interface TemporaryFile {
  readonly path: string;
  remove(): Promise<void>;
}

export function temporaryFile(): TemporaryFile {
  const folder = mkdtempSync(join(tmpdir(), "taskferry-sqlite-"));
  return { path: join(folder, "queue.db"), remove: () => rm(folder, { recursive: true, force: true }) };
}
