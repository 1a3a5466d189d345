/** When something happened at the server, on the clock of `monotonicNow()`: never later than it did while both clocks keep pace. */
export class ServerClock {
  /** Milliseconds from the server's clock to ours, at least. */
  #ahead: number | undefined;

  /** @param since - ours, before the server was asked for `time`. */
  learn(time: number, since: number): void {
    this.#ahead = since - time;
  }

  /** When the server said `time`: between those two, whatever its clock did. */
  at(time: number, { earliest, latest }: { readonly earliest: number; readonly latest: number }): number {
    if (this.#ahead === undefined) return earliest;
    // Its milliseconds are cut off.
    return Math.min(latest, Math.max(earliest, time - 1 + this.#ahead));
  }
}
