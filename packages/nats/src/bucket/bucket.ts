import { randomUUID } from "node:crypto";
import { isTaskferryError, monotonicNow } from "@taskferry/core";
import { Api } from "../api.ts";
import type { Connection } from "../connection.ts";
import type { Request } from "../exchange.ts";
import { apiErrors, full, isFull, isGone } from "../faults.ts";
import { headersOf, natsHeader } from "../frame.ts";
import { type PubAck, storeAll } from "../store-all.ts";
import type { Stored } from "../stored.ts";
import { ensureStream, findStream, nanoseconds, type StreamConfig } from "../streams.ts";
import { type Asking, byCall, directly } from "./asking.ts";
import { findFirstCopies, type NamedRequest } from "./repeated-writes.ts";

export interface BucketParts {
  readonly connection: Connection;
  readonly apiPrefix: string | undefined;
  /** Its name for tools of NATS that look into key-value buckets. */
  readonly name: string;
  /** Which stored values are announced, and where: the last tokens of their subjects are the same. */
  readonly announced: { readonly keys: string; readonly at: string };
  readonly replicas: number | undefined;
  readonly storage: "file" | "memory" | undefined;
  /** Milliseconds after which the server removes what was stored; 0 for never. */
  readonly maxAge: number;
}

/** A value to be stored. */
export interface Write {
  readonly key: string;
  readonly value: Uint8Array;
  /** The number of the value that must still stand; 0 for none. Absent: whatever stands. */
  readonly expected?: number | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether writing it twice is no harm: then it needs no name by which it is known. */
  readonly isRepeatable?: boolean;
}

/** The number of what was stored, or that something else stands. */
export type Written = { readonly sequence: number } | "conflict";

/** Milliseconds that a read waits for an answer before it asks again. */
const shortestAttempt = 500;
/** Milliseconds for which a write is known that is sent again. */
const writesKnown = 120_000;
/** No value has it. */
const probeKey = "=probe";

/** A key-value bucket: a stream that keeps the last value of each subject, where each value has a number of its own. */
export class Bucket {
  readonly #parts: BucketParts;
  readonly #api: Api;
  readonly #stream: string;
  readonly #subjects: string;
  /** Names our writes, so that one that is sent again is known. */
  readonly #writer = randomUUID();
  #writes = 0;
  #maxAge = 0;
  #asking: Asking = byCall;

  constructor(parts: BucketParts) {
    this.#parts = parts;
    this.#api = new Api(parts.connection, parts.apiPrefix);
    this.#stream = `KV_${parts.name}`;
    this.#subjects = `$KV.${parts.name}.`;
  }

  get api(): Api {
    return this.#api;
  }

  get stream(): string {
    return this.#stream;
  }

  subjectOf(key: string): string {
    return this.#subjects + key;
  }

  keyOf(subject: string): string {
    return subject.slice(this.#subjects.length);
  }

  /** Makes the stream, or takes the one that is there. */
  async open(): Promise<void> {
    const { replicas, storage = "file", announced, maxAge } = this.#parts;
    const isAlone = (replicas ?? 1) === 1;
    const config: StreamConfig = {
      name: this.#stream,
      subjects: [`${this.#subjects}>`],
      retention: "limits",
      discard: "new",
      storage,
      num_replicas: replicas ?? 1,
      max_bytes: -1,
      max_msgs_per_subject: 1,
      max_age: maxAge * nanoseconds,
      duplicate_window: Math.min(writesKnown, maxAge || writesKnown) * nanoseconds,
      allow_direct: isAlone,
      republish: { src: this.#subjects + announced.keys, dest: announced.at },
    };
    const wanted = replicas === undefined ? {} : { num_replicas: replicas, allow_direct: isAlone };
    await ensureStream(this.#api, config, wanted);
    await this.#readConfig();
  }

  async #readConfig(): Promise<void> {
    const config = (await findStream(this.#api, this.#stream))?.config;
    this.#maxAge = (config?.max_age ?? 0) / nanoseconds;
    this.#asking = config?.allow_direct === true && config.num_replicas === 1 ? directly : byCall;
  }

  /** Has the server keep what is stored for at least so many milliseconds. */
  async keepFor(milliseconds: number): Promise<void> {
    if (this.#maxAge === 0 || milliseconds <= this.#maxAge) return;
    const found = await findStream(this.#api, this.#stream);
    const age = Math.max(milliseconds, (found?.config.max_age ?? 0) / nanoseconds);
    if (found !== undefined && found.config.max_age !== age * nanoseconds) {
      await this.#api.call(`STREAM.UPDATE.${this.#stream}`, { ...found.config, max_age: age * nanoseconds });
    }
    this.#maxAge = age;
  }

  /** Stores values, each on its condition. One whose answer was lost is sent again, and known. */
  async write(writes: readonly Write[], limit = this.#parts.connection.timeout): Promise<readonly Written[]> {
    const { connection } = this.#parts;
    const requests = writes.map((write) => this.#toRequest(write));
    const results = await this.#store(requests, monotonicNow() + limit);
    return results.map((result) => {
      if (result === undefined) throw connection.unavailable("what was written was not answered");
      if (result instanceof Error) throw result;
      return result;
    });
  }

  /** What stands under keys. */
  async read(
    keys: readonly string[],
    limit = this.#parts.connection.timeout,
  ): Promise<readonly (Stored | undefined)[]> {
    const { connection } = this.#parts;
    const found = keys.map((): Stored | undefined => undefined);
    let open = keys.map((_, index) => index);
    const deadline = monotonicNow() + limit;
    while (open.length > 0) {
      const left = deadline - monotonicNow();
      // Nothing is awaited where nothing has to be: what a caller has just sent goes with this in one write.
      const isThere = left > 0 && (connection.isConnected || (await connection.whenConnected(left)));
      if (!isThere) throw connection.unavailable("nothing could be read");
      const asking = this.#asking;
      const toAsked = (index: number) => ({
        api: this.#api,
        stream: this.#stream,
        subject: this.subjectOf(keys[index] as string),
      });
      const requests = open.map((index) => asking.toRequest(toAsked(index)));
      // What is asked while a cluster has no leader for it is never answered.
      const attempt = Math.min(left, Math.max(shortestAttempt, limit / 3));
      const { replies } = await connection.ask(requests, attempt).catch((error: unknown) => {
        if (isTaskferryError(error, "BROKER_UNAVAILABLE") && error.retryable) return { replies: [] };
        throw error;
      });
      open = open.filter((index, position) => {
        const reply = replies[position];
        const answer = reply === undefined ? undefined : asking.read(reply);
        if (answer !== undefined && answer !== "none") found[index] = answer;
        return answer === undefined;
      });
      if (open.length === 0) break;
      await new Promise((resolve) => setTimeout(resolve, Math.min(50, left)));
      // The stream may have got more replicas, and not answer in this way any more. What fails is tried in the next round.
      if (asking === directly && connection.isConnected) await this.#readConfig().catch(() => undefined);
    }
    return found;
  }

  /** Removes a value for good, if that is the one that stands. */
  async remove(sequence: number): Promise<boolean> {
    try {
      await this.#api.call(`STREAM.MSG.DELETE.${this.#stream}`, { seq: sequence, no_erase: true });
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  }

  #toRequest({ key, value, expected, headers, isRepeatable = false }: Write): NamedRequest {
    const fields: Record<string, string> = { ...headers };
    this.#writes += 1;
    const name = `${this.#writer}:${this.#writes}`;
    if (!isRepeatable) fields[natsHeader.messageId] = name;
    if (expected !== undefined) fields[natsHeader.expectedSubjectSequence] = String(expected);
    return { subject: this.subjectOf(key), payload: value, headers: headersOf(fields), name };
  }

  async #store(requests: readonly NamedRequest[], deadline: number): Promise<readonly (Written | Error | undefined)[]> {
    const { connection } = this.#parts;
    const repeated = new Set<Request>();
    const again = (request: Request): Request => {
      repeated.add(request);
      return request;
    };
    const read = ({ seq = 0, error }: PubAck): Written | Error | undefined => {
      if (error === undefined) return { sequence: seq };
      if (error.err_code === apiErrors.wrongLastSequence) return "conflict";
      return isFull(error) ? full(error.description ?? "") : undefined;
    };
    const results = [...(await storeAll(requests, { connection, deadline, read, again }))];
    const inDoubt = requests.filter((request, index) => results[index] === "conflict" && repeated.has(request));
    if (inDoubt.length === 0) return results;
    const subject = this.subjectOf(probeKey);
    const found = await findFirstCopies(inDoubt, { connection, subject, deadline });
    inDoubt.forEach((request, position) => {
      const sequence = found[position];
      results[requests.indexOf(request)] =
        sequence === "none" ? "conflict" : sequence === undefined ? undefined : { sequence };
    });
    return results;
  }
}
