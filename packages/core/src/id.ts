import { randomFillSync } from "node:crypto";

const pool = Buffer.alloc(16 * 256);
const cursor = { offset: pool.length };

/** A new task id: a UUID of version 7 (RFC 9562), so ids sort by the millisecond in which they were made. */
export function createId(): string {
  if (cursor.offset === pool.length) {
    randomFillSync(pool);
    cursor.offset = 0;
  }
  const start = cursor.offset;
  cursor.offset += 16;
  pool.writeUIntBE(Date.now(), start, 6);
  pool[start + 6] = ((pool[start + 6] ?? 0) & 0x0f) | 0x70;
  pool[start + 8] = ((pool[start + 8] ?? 0) & 0x3f) | 0x80;
  const hex = pool.toString("hex", start, start + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const version7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** When an id of {@link createId} was made, in epoch milliseconds; `undefined` for an id of another kind. */
export function idTime(id: string): number | undefined {
  return version7.test(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;
}
