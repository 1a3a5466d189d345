import type { Connection } from "../connection.ts";
import { type QueueKeys, queueKeys, registryKey } from "./keys.ts";
import type { QueueStorage } from "./storage.ts";

/** The queues of one namespace: their keys, and their names in the set from which operators read them. */
export class Queues {
  readonly #commands: Connection;
  readonly #storage: QueueStorage;
  readonly #namespace: string;
  readonly #keys = new Map<string, QueueKeys>();
  readonly #registered = new Set<string>();

  constructor(commands: Connection, storage: QueueStorage, namespace: string) {
    this.#commands = commands;
    this.#storage = storage;
    this.#namespace = namespace;
  }

  keysOf(queue: string): QueueKeys {
    const known = this.#keys.get(queue);
    if (known !== undefined) return known;
    const keys = queueKeys(this.#storage, this.#namespace, queue);
    this.#keys.set(queue, keys);
    return keys;
  }

  /** @param limit - milliseconds to wait for the server. Default: the connection's own timeout. */
  async register(queue: string, limit?: number): Promise<void> {
    if (this.#registered.has(queue)) return;
    await this.#commands.call((client) => client.sadd(registryKey(this.#storage, this.#namespace), queue), limit);
    this.#registered.add(queue);
  }

  async names(): Promise<readonly string[]> {
    const names = await this.#commands.call<readonly string[]>((client) =>
      client.smembers(registryKey(this.#storage, this.#namespace)),
    );
    return names.toSorted();
  }

  /** The next `register` of each asks the server again. */
  forget(): void {
    this.#registered.clear();
  }
}
