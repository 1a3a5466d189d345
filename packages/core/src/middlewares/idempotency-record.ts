/** What the state store keeps of a key: one byte says what, the rest belongs to it. */
export type IdempotencyRecord =
  | { readonly kind: "running" }
  | { readonly kind: "done"; readonly contentType: string; readonly body: Uint8Array }
  /** Done, with a result too large to be kept. */
  | { readonly kind: "unkept" };

const running = 1;
const done = 2;
const unkept = 3;

/** @param owner - tells two claims apart. */
export function packRunning(owner: Uint8Array): Uint8Array {
  return Uint8Array.from([running, ...owner]);
}

export function packDone(contentType: string, body: Uint8Array, limit: number): Uint8Array {
  const name = new TextEncoder().encode(contentType);
  if (2 + name.length + body.length > limit || name.length > 255) return Uint8Array.of(unkept);
  const bytes = new Uint8Array(2 + name.length + body.length);
  bytes.set([done, name.length]);
  bytes.set(name, 2);
  bytes.set(body, 2 + name.length);
  return bytes;
}

export function readRecord(bytes: Uint8Array): IdempotencyRecord {
  const [kind, length = 0] = bytes;
  if (kind === unkept) return { kind: "unkept" };
  if (kind !== done) return { kind: "running" };
  const contentType = new TextDecoder().decode(bytes.subarray(2, 2 + length));
  return { kind: "done", contentType, body: bytes.subarray(2 + length) };
}
