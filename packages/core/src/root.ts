import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** The nearest folder from `folder` up that has a package.json; `folder` itself where none has. */
export function findRoot(folder: string): string {
  for (let current = resolve(folder); ; current = dirname(current)) {
    if (existsSync(join(current, "package.json"))) return current;
    if (dirname(current) === current) return resolve(folder);
  }
}
