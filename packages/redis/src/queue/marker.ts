import { monotonicNow } from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { callScript, type Script, type ScriptCall } from "../script.ts";

export interface MarkedCall extends ScriptCall {
  readonly marker: string;
  /** Milliseconds to wait for the marker. The script runs after that, too. */
  readonly limit: number;
}

export interface MarkedReply<T> {
  readonly reply: T;
  /** Whether the marker came. */
  readonly isMarked: boolean;
}

/**
 * Blocks on the marker of a queue, and has the server run a script as soon as it comes, without a word in between: the
 * script is sent along, and waits at the server. A dead or closed connection ends the wait early, with `undefined`: the
 * script may have run, and may still. It never rejects.
 */
export async function runOnMarker<T>(
  connection: Connection,
  script: Script,
  { marker, limit, ...call }: MarkedCall,
): Promise<MarkedReply<T> | undefined> {
  const since = monotonicNow();
  let watchdog: NodeJS.Timeout | undefined;
  const dead = new Promise<undefined>((resolve) => {
    watchdog = setTimeout(() => {
      connection.reconnect();
      resolve(undefined);
    }, limit + connection.timeout);
  });
  try {
    const { client } = connection;
    const popped = client.bzpopmin(marker, limit / 1_000);
    const answered = Promise.all([popped, callScript(client, script, call)]).then(([found, reply]) => {
      return { reply: reply as T, isMarked: found !== null };
    });
    return await Promise.race([answered, dead]);
  } catch {
    // Not connected, or not done: the commands connection finds out why. A short pause keeps the loop from turning hot.
    const rest = Math.max(0, Math.min(limit, 200) - (monotonicNow() - since));
    await new Promise((resolve) => setTimeout(resolve, rest));
    return undefined;
  } finally {
    clearTimeout(watchdog);
  }
}
