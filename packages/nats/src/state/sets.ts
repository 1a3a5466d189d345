import type { Change, Codec } from "./combiner.ts";

/** Members, and until when each belongs to the set, in epoch milliseconds by the server's clock. */
export type Members = ReadonlyMap<string, number>;

export const setCodec: Codec<Members> = {
  encode: (members) => Buffer.from(JSON.stringify([...members])),
  decode: (bytes) => new Map(JSON.parse(Buffer.from(bytes).toString()) as [string, number][]),
  ttl: (members, now) => Math.max(1, ...[...members.values()].map((until) => until - now)),
};

export function live(members: Members | undefined, now: number): Members {
  return new Map([...(members ?? [])].filter(([, until]) => until > now));
}

/** Adds those for which there is room, and renews those that are there. */
export function add(
  names: readonly string[],
  { ttl, max = Number.POSITIVE_INFINITY }: { readonly ttl: number; readonly max?: number },
): Change<Members, { readonly added: readonly string[]; readonly size: number }> {
  return (before, now) => {
    const members = new Map(live(before, now));
    const added: string[] = [];
    for (const name of names) {
      if (!members.has(name)) {
        if (members.size >= max) continue;
        added.push(name);
      }
      members.set(name, now + ttl);
    }
    return { value: names.length === 0 ? before : members, answer: { added, size: members.size } };
  };
}

export function remove(names: readonly string[]): Change<Members, { readonly removed: number; readonly size: number }> {
  return (before, now) => {
    const members = new Map(live(before, now));
    const removed = names.filter((name) => members.delete(name)).length;
    return { value: removed === 0 ? before : members, answer: { removed, size: members.size } };
  };
}
