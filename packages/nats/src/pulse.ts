import type { NatsConnection } from "@nats-io/transport-node";
import { monotonicNow } from "@taskferry/core";

/**
 * Asks the server for a sign of life. What arrives after an answer was sent by the server after the question: so each
 * answer says from when on a lease counts at the earliest, and a connection without answers is dead, whatever its socket
 * says.
 */
export class Pulse {
  /** Everything that arrives now was sent after this moment, on the clock of leases. */
  freshSince = 0;
  readonly #timeout: number;
  readonly #intervals = new Map<object, number>();
  #driver: NatsConnection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #askedAt: number | undefined;

  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** Asks every `interval` milliseconds at least, until told to forget. */
  keep(owner: object, interval: number): void {
    this.#intervals.set(owner, interval);
    this.#schedule();
  }

  forget(owner: object): void {
    this.#intervals.delete(owner);
    this.#schedule();
  }

  start(driver: NatsConnection): void {
    this.stop();
    this.#driver = driver;
    this.freshSince = monotonicNow();
    this.#schedule();
  }

  stop(): void {
    this.#driver = undefined;
    this.#askedAt = undefined;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#intervals.size === 0 || this.#driver === undefined) return;
    this.#timer = setInterval(() => this.#beat(), Math.min(...this.#intervals.values()));
    this.#beat();
  }

  #beat(): void {
    const driver = this.#driver;
    if (driver === undefined) return;
    const now = monotonicNow();
    if (this.#askedAt !== undefined) {
      if (now - this.#askedAt > this.#timeout) {
        this.#askedAt = now;
        driver.reconnect().catch(() => undefined);
      }
      return;
    }
    this.#askedAt = now;
    const answered = (): void => {
      if (driver !== this.#driver || this.#askedAt !== now) return;
      this.freshSince = now;
      this.#askedAt = undefined;
    };
    const failed = (): void => {
      if (this.#askedAt === now) this.#askedAt = undefined;
    };
    driver.flush().then(answered, failed);
  }
}
