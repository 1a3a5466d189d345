import type { Api } from "../api.ts";
import type { Connection } from "../connection.ts";
import { type Durable, ensureDurable } from "./durables.ts";
import { type Band, type Layout, middle } from "./layout.ts";

export interface QueuesParts {
  readonly connection: Connection;
  readonly api: Api;
  readonly layout: Layout;
  /** Has somebody move what is due. */
  readonly onDelays: (queue: string) => void;
}

/** Milliseconds for which a message belongs to its worker where no worker has said otherwise yet. */
const firstAckWait = 33_000;

/** What publishers know of queues: which bands there are. The middle one is always there. */
export class Queues {
  readonly #parts: QueuesParts;
  readonly #bands = new Set<string>();
  readonly #delays = new Set<string>();

  constructor(parts: QueuesParts) {
    this.#parts = parts;
  }

  isKnown(queue: string, band: Band): boolean {
    return band === middle || this.#bands.has(`${queue} ${band}`);
  }

  /** Makes a band's consumer before its first message, so that whoever works on the queue finds it; and tells them. */
  async addBand(queue: string, band: Band, limit: number): Promise<void> {
    const { connection, api, layout } = this.#parts;
    if (!(await connection.whenConnected(limit))) throw connection.unavailable("there is no connection");
    await ensureDurable(api, bandDurable(layout, queue, band), firstAckWait);
    this.#bands.add(`${queue} ${band}`);
    connection.driver.publish(layout.note(queue), JSON.stringify({ band }));
  }

  expectDelays(queue: string): void {
    if (this.#delays.has(queue)) return;
    this.#delays.add(queue);
    this.#parts.onDelays(queue);
  }

  /** The next message of each asks the server again. */
  forget(): void {
    this.#bands.clear();
    this.#delays.clear();
  }
}

export function bandDurable(layout: Layout, queue: string, band: Band): Durable {
  return {
    stream: layout.stream,
    name: layout.durable(queue, band),
    filter: layout.readyFilter(queue, band),
  };
}
