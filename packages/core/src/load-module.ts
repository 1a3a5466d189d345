import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** Imports a module by its URL. */
export type LoadModule = (url: string) => Promise<Readonly<Record<string, unknown>>>;

export function importModule(url: string): Promise<Readonly<Record<string, unknown>>> {
  return import(url);
}

/** The URL of a module that a configuration names; relative paths begin at `root`. */
export function toModuleUrl(source: string | URL, root: string): string {
  if (source instanceof URL || /^(?:file|data|node):/.test(source)) return String(source);
  return pathToFileURL(isAbsolute(source) ? source : resolve(root, source)).href;
}
