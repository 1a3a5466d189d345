import { isId, type Message } from "./message.ts";

/** How many kinds of lines are known at once. */
const most = 16;
const start = '{"v":1,"id":"';
const ascii = /^[ -~]*$/;
const none = new Uint8Array();
const longestTime = 15;

/** What the lines of one kind have in common: all but the id and the time. */
interface Kind {
  readonly middle: string;
  readonly end: string;
  readonly model: Message;
}

/**
 * Header lines of messages that differ from one seen before in nothing but id and `enqueuedAt`, as those of one task do.
 * They are read at half the price of parsing and checking them.
 */
export class FamiliarLines {
  /** The one that was met last stands first. */
  readonly #kinds: Kind[] = [];

  /** `undefined` for a line of no known kind. */
  read(line: string, { bytes, body }: { readonly bytes: Buffer; readonly body: Uint8Array }): Message | undefined {
    if (!line.startsWith(start)) return undefined;
    const idEnd = line.indexOf('"', start.length);
    for (let index = 0; index < this.#kinds.length; index += 1) {
      const kind = this.#kinds[index] as Kind;
      const enqueuedAt = timeOf(line, { kind, idEnd });
      if (enqueuedAt === undefined) continue;
      // What is cut out of the line would keep all of it.
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
    const middle = line.slice(idEnd, timeEnd - `${enqueuedAt}`.length);
    if (policy !== undefined) freeze(policy);
    this.#kinds.unshift({ middle, end: line.slice(timeEnd), model: { ...message, body: none } });
    if (this.#kinds.length > most) this.#kinds.pop();
  }
}

/** The time in a line of this kind; `undefined` in any other. */
function timeOf(line: string, { kind, idEnd }: { readonly kind: Kind; readonly idEnd: number }): number | undefined {
  const { middle, end } = kind;
  if (!line.startsWith(middle, idEnd)) return undefined;
  const timeAt = idEnd + middle.length;
  const length = line.length - end.length - timeAt;
  if (length < 1 || length > longestTime || !line.endsWith(end)) return undefined;
  let time = 0;
  for (let at = timeAt; at < timeAt + length; at += 1) {
    const digit = line.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    time = time * 10 + digit;
  }
  // JSON knows no number that begins with a nought.
  return length > 1 && time < 10 ** (length - 1) ? undefined : time;
}

function freeze(value: object): void {
  for (const inner of Object.values(value)) if (typeof inner === "object" && inner !== null) freeze(inner);
  Object.freeze(value);
}
