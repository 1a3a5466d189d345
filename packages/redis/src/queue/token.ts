import type { Delivery } from "@taskferry/core";

/** What a delivery needs to be settled: the key of its message, and who holds it. */
export interface Token {
  /** Each byte a character: the keys of other programs may be any bytes. */
  readonly key: string;
  readonly owner: string;
}

export function tokenOf(delivery: Delivery): Token {
  return delivery.token as Token;
}
