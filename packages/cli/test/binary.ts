import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type SpawnedProcess, spawnProcess } from "@taskferry/testing";
import type { Finished } from "./fake-terminal.ts";
import type { Project } from "./project.ts";

export const binary = fileURLToPath(new URL("../bin/taskferry.js", import.meta.url));

type Env = Readonly<Record<string, string | undefined>>;

/** This process's environment without what would change what the command does. */
export function cleanEnv(env: Env = {}): Record<string, string | undefined> {
  const noise = /^(TASKFERRY_|VITEST|NODE_|NO_COLOR$|FORCE_COLOR$|JITI_)/;
  return {
    ...Object.fromEntries(
      Object.entries(process.env).map(([name, value]) => [name, noise.test(name) ? undefined : value]),
    ),
    ...env,
  };
}

/** Runs the installed command to its end. */
export async function taskferry(
  { folder }: Project,
  args: readonly string[],
  { env, input = "" }: { readonly env?: Env; readonly input?: string } = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [binary, ...args], { cwd: folder, env: cleanEnv(env) });
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: code as number, stdout, stderr };
}

/** Starts the installed command, which ends with the test at the latest. */
export async function startTaskferry({ folder }: Project, args: readonly string[], env?: Env): Promise<SpawnedProcess> {
  return await spawnProcess(binary, { args, cwd: folder, env: cleanEnv(env) });
}
