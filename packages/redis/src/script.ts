import type { Client } from "./driver.ts";

/** A Lua script that the server runs as one step. */
export interface Script {
  readonly name: string;
  readonly lua: string;
}

export interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly Argument[];
}

export type Argument = string | number | Buffer;

export function defineScripts(client: Client, scripts: readonly Script[]): void {
  for (const { name, lua } of scripts) client.defineCommand(name, { lua });
}

/** Calls a script that was defined on the client; strings come back as bytes. */
export function callScript(client: Client, { name }: Script, { keys, args }: ScriptCall): Promise<unknown> {
  const commands = client as unknown as Readonly<Record<string, (...args: readonly Argument[]) => Promise<unknown>>>;
  const command = commands[`${name}Buffer`];
  if (command === undefined) throw new Error(`The script ${name} is not defined on this connection.`);
  return command.call(client, keys.length, ...keys, ...args);
}
