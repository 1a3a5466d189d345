import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Config, ConfigurationError, findRoot, redactUrl } from "@taskferry/core";
import type { LoadModule } from "./module-loader.ts";
import type { Terminal } from "./terminal.ts";

/** A configuration, and where it came from. */
export interface LoadedConfig {
  readonly config: Config & { readonly root: string };
  /** Absent: there is no configuration file. */
  readonly file: string | undefined;
  /** Where the configuration came from when there is no file, for people. */
  readonly note: string | undefined;
}

export interface ConfigSearch {
  /** The file to load instead of looking for one; relative paths begin at the working directory. */
  readonly path: string | undefined;
  readonly terminal: Pick<Terminal, "cwd" | "env">;
  readonly loadModule: LoadModule;
}

export const configNames = ["js", "mjs", "ts", "mts"].map((extension) => `taskferry.config.${extension}`);

/**
 * Loads the configuration file: the one that was named, else the nearest from the working directory up. Without any, the
 * environment says where the broker is.
 *
 * @throws ConfigurationError `CONFIGURATION_INVALID` where the file is missing, cannot be loaded, or exports no configuration.
 */
export async function loadConfig({ path, terminal, loadModule }: ConfigSearch): Promise<LoadedConfig> {
  const { cwd, env } = terminal;
  const file = path === undefined ? findConfigFile(cwd) : checkFile(resolve(cwd, path));
  if (file === undefined) return fromEnvironment(cwd, env);
  const exported = await importConfig(file, loadModule);
  const root = resolve(cwd, typeof exported.root === "string" ? exported.root : findRoot(cwd));
  return { config: { ...exported, root }, file, note: undefined };
}

/** The nearest configuration file from `folder` up. */
export function findConfigFile(folder: string): string | undefined {
  for (let current = resolve(folder); ; current = dirname(current)) {
    const found = configNames.map((name) => join(current, name)).find(isFile);
    if (found !== undefined || dirname(current) === current) return found;
  }
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function checkFile(file: string): string {
  if (isFile(file)) return file;
  throw new ConfigurationError(
    "CONFIGURATION_INVALID",
    `Expected a configuration file at ${file}, where there is none.`,
  );
}

function fromEnvironment(cwd: string, env: Terminal["env"]): LoadedConfig {
  const broker = env.TASKFERRY_BROKER || undefined;
  const results = env.TASKFERRY_RESULTS || undefined;
  const state = env.TASKFERRY_STATE || undefined;
  const source =
    broker !== undefined
      ? `TASKFERRY_BROKER (${redactUrl(broker)})`
      : "the default broker (sqlite:.taskferry/queue.db)";
  return {
    config: { root: findRoot(cwd), broker, results, state },
    file: undefined,
    note: `No taskferry.config.{js,mjs,ts,mts} from ${cwd} up; using ${source}.`,
  };
}

async function importConfig(file: string, loadModule: LoadModule): Promise<Config> {
  const exported = await loadModule(pathToFileURL(file).href).catch((cause: unknown) => {
    throw new ConfigurationError("CONFIGURATION_INVALID", `The configuration file ${file} cannot be loaded.`, {
      cause,
    });
  });
  const config = exported.default;
  if (typeof config === "object" && config !== null && !Array.isArray(config) && !(config instanceof Promise)) {
    return config;
  }
  throw new ConfigurationError(
    "CONFIGURATION_INVALID",
    `Expected ${file} to have a configuration as its default export: "export default defineConfig({ ... })". Its default export is ${describe(config)}.`,
  );
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return "missing";
  if (value instanceof Promise) return "a promise";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}
