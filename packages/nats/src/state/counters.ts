import type { Change, Codec } from "./combiner.ts";

export interface Counter {
  readonly value: number;
  /** Epoch milliseconds by the server's clock. */
  readonly until: number;
}

export const counterCodec: Codec<Counter> = {
  encode: (counter) => Buffer.from(JSON.stringify(counter)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Counter,
  ttl: ({ until }, now) => until - now,
};

/** Adds unless that would pass the ceiling. */
export function increment(
  by: number,
  { ttl, ceiling = Number.POSITIVE_INFINITY }: { readonly ttl: number; readonly ceiling?: number },
): Change<Counter, { readonly value: number; readonly added: boolean }> {
  return (counter, now) => {
    const { value, until } = counter ?? { value: 0, until: now + ttl };
    const added = value + by <= ceiling;
    if (!added || by === 0) return { value: counter, answer: { value, added } };
    return { value: { value: value + by, until }, answer: { value: value + by, added } };
  };
}
