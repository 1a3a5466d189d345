import type { StateDelete, StateEntry, StateKey, StatePage, StatePut, StatePutResult } from "@taskferry/core";
import type { Bucket, Written } from "../bucket/bucket.ts";
import { scan } from "../bucket/scan.ts";
import type { ServerClock } from "../clock.ts";
import type { Connection } from "../connection.ts";
import type { Stored } from "../stored.ts";
import { compareKeys, keyOf, subjectKey, subjectPrefix } from "./keys.ts";
import { checkSize, deleted, isLive, toEntry, ttlOf } from "./values.ts";

export interface EntriesParts {
  readonly connection: Connection;
  readonly bucket: Bucket;
  readonly clock: ServerClock;
}

export interface PageOptions {
  readonly limit: number;
  readonly cursor?: string;
}

/** Entries of the state: each the last value of a subject, its number the revision. */
export class Entries {
  readonly #parts: EntriesParts;

  constructor(parts: EntriesParts) {
    this.#parts = parts;
  }

  async get(keys: readonly StateKey[]): Promise<readonly (StateEntry | undefined)[]> {
    const stored = await this.#read(keys);
    return keys.map((key, index) => toEntry(key, stored[index], this.#now()));
  }

  async put(puts: readonly StatePut[]): Promise<readonly StatePutResult[]> {
    for (const { key, value } of puts) checkSize(key, value);
    const results: (StatePutResult | undefined)[] = puts.map(() => undefined);
    // A revision that expired still has its number: what stands is looked at first.
    const looked = puts.flatMap(({ expect }, index) => (typeof expect === "object" ? [index] : []));
    const found = await this.#read(looked.map((index) => (puts[index] as StatePut).key));
    const standing = new Map(looked.map((index, position) => [index, found[position]]));
    let open = puts.map((_, index) => ({ index, stored: standing.get(index) }));
    while (open.length > 0) {
      const ready = open.filter(({ index, stored }) => {
        results[index] = this.#conflictOf(puts[index] as StatePut, stored);
        return results[index] === undefined;
      });
      const written = await this.#parts.bucket.write(
        ready.map(({ index, stored }) => {
          const { key, value, ttl, expect } = puts[index] as StatePut;
          const expected = expect === undefined ? undefined : (stored?.sequence ?? 0);
          return { key: subjectKey("e", key), value, expected, headers: ttlOf(ttl) };
        }),
      );
      ready.forEach(({ index }, position) => {
        const answer = written[position] as Written;
        if (answer !== "conflict") results[index] = { status: "written", revision: String(answer.sequence) };
      });
      const met = ready.filter(({ index }) => results[index] === undefined);
      const now = await this.#read(met.map(({ index }) => (puts[index] as StatePut).key));
      open = met.map(({ index }, position) => ({ index, stored: now[position] }));
    }
    return results as readonly StatePutResult[];
  }

  async delete(deletes: readonly StateDelete[]): Promise<readonly boolean[]> {
    const { bucket } = this.#parts;
    const gone = deletes.map(() => false);
    let open = deletes.map((_, index) => index);
    while (open.length > 0) {
      const stored = await this.#read(open.map((index) => (deletes[index] as StateDelete).key));
      const ready = open.flatMap((index, position) => {
        const entry = toEntry([], stored[position], this.#now());
        const { expect } = deletes[index] as StateDelete;
        const isMeant = entry !== undefined && (expect === undefined || expect.revision === entry.revision);
        return isMeant ? [{ index, expected: Number(entry.revision) }] : [];
      });
      const written = await bucket.write(
        ready.map(({ index, expected }) => ({
          key: subjectKey("e", (deletes[index] as StateDelete).key),
          value: Buffer.alloc(0),
          expected,
          headers: deleted,
        })),
      );
      open = [];
      ready.forEach(({ index }, position) => {
        const answer = written[position] as Written;
        if (answer === "conflict") open.push(index);
        else {
          gone[index] = true;
          // The mark has been announced and is of no more use; whatever is left of it is swept away.
          bucket.remove(answer.sequence).catch(() => undefined);
        }
      });
    }
    return gone;
  }

  async list(prefix: StateKey, { limit, cursor }: PageOptions): Promise<StatePage> {
    const after =
      cursor === undefined ? undefined : (JSON.parse(Buffer.from(cursor, "base64url").toString()) as StateKey);
    const keys = (await this.#keys(prefix)).filter((key) => after === undefined || compareKeys(key, after) > 0);
    const page = keys.toSorted(compareKeys).slice(0, limit);
    const entries = (await this.get(page)).filter((entry) => entry !== undefined);
    const last = page.at(-1);
    if (keys.length <= limit || last === undefined) return { entries };
    return { entries, cursor: Buffer.from(JSON.stringify(last)).toString("base64url") };
  }

  /** All keys under a prefix, that of the prefix itself included. */
  async #keys(prefix: StateKey): Promise<StateKey[]> {
    const { bucket, connection } = this.#parts;
    const found = await scan(bucket, connection, `${subjectPrefix("e", prefix)}>`);
    const now = this.#now();
    const keys = found.filter((one) => isLive(one, now)).map(({ key }) => keyOf(key));
    return prefix.length > 0 ? [prefix, ...keys] : keys;
  }

  #conflictOf({ key, expect }: StatePut, stored: Stored | undefined): StatePutResult | undefined {
    if (expect === undefined) return undefined;
    const current = toEntry(key, stored, this.#now());
    const isMet = expect === "absent" ? current === undefined : current?.revision === expect.revision;
    return isMet ? undefined : { status: "conflict", current };
  }

  #read(keys: readonly StateKey[]): Promise<readonly (Stored | undefined)[]> {
    return this.#parts.bucket.read(keys.map((key) => subjectKey("e", key)));
  }

  #now(): number {
    return this.#parts.clock.now();
  }
}
