import type { Delivery } from "@taskferry/core";

/** What a delivery needs to be settled: the key of its message, and who holds it. */
export interface Token {
  readonly key: Buffer | string;
  readonly owner: string;
}

export function tokenOf(delivery: Delivery): Token {
  return delivery.token as Token;
}
