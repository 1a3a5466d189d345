import { PassThrough } from "node:stream";
import { run } from "../src/main.ts";
import type { Terminal } from "../src/terminal.ts";

/** What a command left behind. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface FakeTerminalOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly isTTY?: boolean;
  /** What somebody types. */
  readonly input?: string;
}

/** Runs a command in this process, with streams of its own. */
export async function runInProcess(args: readonly string[], options: FakeTerminalOptions): Promise<Finished> {
  const { terminal, stdout, stderr } = createFakeTerminal(options);
  const code = await run(args, terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

export function createFakeTerminal({ cwd, env = {}, isTTY = false, input = "" }: FakeTerminalOptions) {
  const [stdin, stdout, stderr] = [stream(isTTY), stream(isTTY), stream(isTTY)];
  stdin.end(input);
  const terminal: Terminal = { stdin, stdout, stderr, env, cwd };
  return { terminal, stdout: () => textOf(stdout), stderr: () => textOf(stderr) };
}

function stream(isTTY: boolean): PassThrough & { readonly isTTY: boolean } {
  return Object.assign(new PassThrough(), { isTTY });
}

function textOf(output: PassThrough): string {
  return (output.read() as Buffer | null)?.toString() ?? "";
}
