import type { StateEntry, StateKey, StatePage } from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { type Found, toEntry } from "./entry.ts";
import { layoutOf, segmentsKey } from "./layout.ts";
import { afterPrefix, keyOf, nameOf } from "./names.ts";
import { list } from "./scripts.ts";

export interface PageOptions {
  readonly limit: number;
  readonly cursor?: string;
}

/** Lists entries by their keys, over all first segments, and reads what each segment has come to. */
export class EntryPages {
  readonly #commands: Connection;
  readonly #namespace: string;

  constructor(commands: Connection, namespace: string) {
    this.#commands = commands;
    this.#namespace = namespace;
  }

  async list(prefix: StateKey, { limit, cursor }: PageOptions): Promise<StatePage> {
    const after = cursor === undefined ? undefined : Buffer.from(cursor, "base64url").toString();
    const segments = prefix.length > 0 ? [prefix[0] as string] : await this.#segments();
    const entries: StateEntry[] = [];
    for (const segment of segments) {
      const base = prefix.length > 0 ? nameOf(prefix) : nameOf([segment]);
      if (after !== undefined && compareBytes(after, afterPrefix(base)) >= 0) continue;
      let min = after !== undefined && compareBytes(after, base) >= 0 ? `(${after}` : `[${base}`;
      for (;;) {
        const wanted = limit - entries.length;
        const found = await this.#read(segment, { min, max: `(${afterPrefix(base)}`, limit: wanted });
        for (const [name, ...rest] of found) {
          const entry = toEntry(keyOf(name.toString()), rest);
          if (entry !== undefined) entries.push(entry);
        }
        const last = found.at(-1)?.[0].toString();
        if (found.length < wanted || last === undefined) break;
        if (entries.length >= limit) return { entries, cursor: Buffer.from(last).toString("base64url") };
        min = `(${last}`;
      }
    }
    return { entries };
  }

  /** The revisions given last, by first segment: of one, or of all there are. */
  async revisions(segment: string | undefined): Promise<ReadonlyMap<string, number>> {
    const segments = segment === undefined ? await this.#segments() : [segment];
    const read = async (name: string): Promise<readonly [string, number]> => {
      const key = layoutOf(this.#namespace, name).revisions;
      return [name, Number((await this.#commands.call<string | null>((client) => client.get(key))) ?? 0)];
    };
    return new Map(await Promise.all(segments.map(read)));
  }

  #read(
    segment: string,
    range: { readonly min: string; readonly max: string; readonly limit: number },
  ): Promise<readonly (readonly [name: Buffer, ...Found])[]> {
    const { index, entryPrefix } = layoutOf(this.#namespace, segment);
    return this.#commands.run(list, { keys: [index], args: [range.min, range.max, range.limit, entryPrefix] });
  }

  async #segments(): Promise<readonly string[]> {
    const found = await this.#commands.call<readonly string[]>((client) =>
      client.smembers(segmentsKey(this.#namespace)),
    );
    return found.toSorted((a, b) => compareBytes(nameOf([a]), nameOf([b])));
  }
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
