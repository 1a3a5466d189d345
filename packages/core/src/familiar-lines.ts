import { isId, type Message } from "./message.ts";

/** How many kinds of lines are known at once. */
const most = 16;
const start = Buffer.from('{"v":1,"id":"');
const quote = 0x22;
const nought = 0x30;
const ascii = /^[ -~]*$/;
const none = new Uint8Array();
const longestTime = 15;

/** What the lines of one kind have in common: all but the id and the time. */
interface Kind {
  readonly middle: Buffer;
  readonly end: Buffer;
  readonly model: Message;
  /** How long the id was that was met last. */
  idLength: number;
}

/**
 * Header lines of messages that differ from one seen before in nothing but id and `enqueuedAt`, as those of one task do.
 * They are read at half the price of parsing and checking them.
 */
export class FamiliarLines {
  /** The one that was met last stands first. */
  readonly #kinds: Kind[] = [];

  /** `undefined` for a line of no known kind. */
  read(bytes: Buffer, { lineEnd, body }: { readonly lineEnd: number; readonly body: Uint8Array }): Message | undefined {
    if (!isAt(bytes, 0, start)) return undefined;
    for (let index = 0; index < this.#kinds.length; index += 1) {
      const kind = this.#kinds[index] as Kind;
      const idEnd = endOfId(bytes, kind);
      const enqueuedAt = timeOf(bytes, { kind, idEnd, lineEnd });
      if (enqueuedAt === undefined) continue;
      const id = bytes.toString("latin1", start.length, idEnd);
      if (!isId(id)) return undefined;
      if (index > 0) this.#kinds.unshift(...this.#kinds.splice(index, 1));
      return { ...kind.model, id, enqueuedAt, body };
    }
    return undefined;
  }

  /** @param line - what the message was read from, and would be written as. */
  learn(message: Message, line: string): void {
    const { id, enqueuedAt, notBefore, expiresAt, plan, policy } = message;
    // These differ from one message to the next.
    if (notBefore !== undefined || expiresAt !== undefined || plan !== undefined || !ascii.test(line)) return;
    const idEnd = start.length + id.length;
    const time = `"enqueuedAt":${enqueuedAt}`;
    const timeEnd = line.indexOf(time, idEnd) + time.length;
    const middle = Buffer.from(line.slice(idEnd, timeEnd - `${enqueuedAt}`.length));
    if (policy !== undefined) freeze(policy);
    const model = { ...message, body: none };
    this.#kinds.unshift({ middle, end: Buffer.from(line.slice(timeEnd)), model, idLength: id.length });
    if (this.#kinds.length > most) this.#kinds.pop();
  }
}

/** Where an id ends that has no quote in it. Most ids are of one length. */
function endOfId(bytes: Buffer, kind: Kind): number {
  if (bytes[start.length + kind.idLength] === quote) return start.length + kind.idLength;
  const end = bytes.indexOf(quote, start.length);
  kind.idLength = end - start.length;
  return end;
}

interface Places {
  readonly kind: Kind;
  readonly idEnd: number;
  readonly lineEnd: number;
}

/** The time in a line of this kind; `undefined` in any other. */
function timeOf(bytes: Buffer, { kind: { middle, end }, idEnd, lineEnd }: Places): number | undefined {
  const timeAt = idEnd + middle.length;
  const timeEnd = lineEnd - end.length;
  const length = timeEnd - timeAt;
  if (idEnd < 0 || length < 1 || length > longestTime) return undefined;
  if (!isAt(bytes, idEnd, middle) || !isAt(bytes, timeEnd, end)) return undefined;
  // JSON knows no number that begins with a nought.
  if (length > 1 && bytes[timeAt] === nought) return undefined;
  let time = 0;
  for (let at = timeAt; at < timeEnd; at += 1) {
    const digit = (bytes[at] as number) - nought;
    if (digit < 0 || digit > 9) return undefined;
    time = time * 10 + digit;
  }
  return time;
}

/** Byte by byte: a call into the engine costs more for a line as short as these. */
function isAt(bytes: Buffer, at: number, expected: Buffer): boolean {
  for (let index = 0; index < expected.length; index += 1) if (bytes[at + index] !== expected[index]) return false;
  return true;
}

function freeze(value: object): void {
  for (const inner of Object.values(value)) if (typeof inner === "object" && inner !== null) freeze(inner);
  Object.freeze(value);
}
