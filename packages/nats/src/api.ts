import { setTimeout as wait } from "node:timers/promises";
import { monotonicNow } from "@taskferry/core";
import type { Connection } from "./connection.ts";
import { ApiError } from "./faults.ts";

interface ApiReply {
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description?: string };
}

const defaultApiPrefix = "$JS.API";

/** JetStream's interface for streams and consumers: JSON over requests, repeated through outages. */
export class Api {
  readonly #connection: Connection;
  readonly #prefix: string;

  constructor(connection: Connection, prefix: string = defaultApiPrefix) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  subjectOf(call: string): string {
    return `${this.#prefix}.${call}`;
  }

  /** @throws ApiError for an answer that says no; BrokerError when there is none within `limit` milliseconds. */
  async call<T>(call: string, body: object | undefined, limit: number = this.#connection.timeout): Promise<T> {
    const deadline = monotonicNow() + limit;
    const payload = body === undefined ? "" : JSON.stringify(body);
    const subject = this.subjectOf(call);
    for (let pause = 50; ; pause = Math.min(pause * 2, 500)) {
      const left = Math.max(1, deadline - monotonicNow());
      const reply = (await this.#connection.request({ subject, payload }, left)).json<ApiReply & T>();
      if (reply.error === undefined) return reply;
      const { code, err_code: number = code, description = "no reason" } = reply.error;
      // No leader for the moment, or still starting.
      if (code !== 503 || monotonicNow() + pause > deadline) {
        throw new ApiError(
          number,
          `JetStream at ${this.#connection.address} refused ${call}: ${description} (${number}).`,
        );
      }
      await wait(pause);
    }
  }
}
