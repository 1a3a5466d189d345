import { monotonicNow } from "@taskferry/core";
import type { Connection } from "../connection.ts";

/**
 * Blocks on the marker of a queue: whether it came within `milliseconds`. A dead or closed connection ends the wait early;
 * it never rejects.
 */
export async function waitForMarker(connection: Connection, marker: string, milliseconds: number): Promise<boolean> {
  const since = monotonicNow();
  let watchdog: NodeJS.Timeout | undefined;
  const dead = new Promise<false>((resolve) => {
    watchdog = setTimeout(() => {
      connection.reconnect();
      resolve(false);
    }, milliseconds + connection.timeout);
  });
  try {
    const popped = connection.client.bzpopmin(marker, milliseconds / 1_000).then((found) => found !== null);
    return await Promise.race([popped, dead]);
  } catch {
    // Not connected: the commands connection finds out what is wrong. A short pause keeps the loop from turning hot.
    const rest = Math.max(0, Math.min(milliseconds, 200) - (monotonicNow() - since));
    await new Promise((resolve) => setTimeout(resolve, rest));
    return false;
  } finally {
    clearTimeout(watchdog);
  }
}
