import { packBytes } from "./packed-bytes.ts";

/** Items as they go to the thread, and the buffer that goes with them. */
export function packItems<T extends { readonly bytes: Uint8Array }>(
  items: readonly T[],
): { readonly packed: readonly T[]; readonly buffer: ArrayBuffer } {
  const { views, buffer } = packBytes(items.map(({ bytes }) => bytes));
  return { packed: items.map((item, index) => ({ ...item, bytes: views[index] ?? item.bytes })), buffer };
}
