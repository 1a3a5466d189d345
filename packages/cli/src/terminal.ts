import type { Readable, Writable } from "node:stream";

/** What a command reads from and writes to: the process's own, or what a test gives. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

export type OutputStream = Writable & { readonly isTTY?: boolean; readonly rows?: number };

export function processTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process;
  for (const stream of [stdout, stderr]) stream.on("error", passUnlessUnread);
  return { stdin, stdout, stderr, env, cwd: process.cwd() };
}

/** Whether somebody is there to be asked. */
export function isInteractive({ stdin, stderr }: Terminal): boolean {
  return stdin.isTTY === true && stderr.isTTY === true;
}

/** Resolves once all that was written to `stream` has left this process. */
export async function flush(stream: OutputStream): Promise<void> {
  await new Promise<void>((resolve) => stream.write("", () => resolve()));
}

/**
 * Whoever read has gone: `| head`, or a log collector that was restarted. That is no fault of the command's, and to
 * report it would be the next write into the same pipe.
 */
function passUnlessUnread(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") throw error;
}
