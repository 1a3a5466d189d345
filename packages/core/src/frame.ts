import { MessageError } from "./errors.ts";
import { FamiliarLines } from "./familiar-lines.ts";
import { firstHeaders, fromHeaders, type Message, malformed, maxHeaderBytes, toHeaders } from "./message.ts";
import { isPlainName, isPlainText } from "./plain-text.ts";

const newline = 0x0a;
/** Bytes of a header line that a reader accepts: room for what is added on the way. */
const maxLineBytes = 2 * maxHeaderBytes;

/** The bytes of a message for brokers without headers: one line of JSON, a line feed, the body. */
export function encodeMessage(message: Message): Uint8Array {
  const line = headerLine(message);
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(line) + 1 + message.body.length);
  const length = bytes.write(line);
  bytes[length] = newline;
  bytes.set(message.body, length + 1);
  return bytes;
}

/** Reads what {@link encodeMessage} wrote. The body is a view of `bytes`. Errors as of {@link fromHeaders}. */
export function decodeMessage(bytes: Uint8Array): Message {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = buffer.indexOf(newline);
  if (end === -1 || end > maxLineBytes) {
    throw malformed(`${bytes.length} bytes without a line of headers in the first ${maxLineBytes}`, undefined);
  }
  const body = buffer.subarray(end + 1);
  return lines.read(buffer, { lineEnd: end, body }) ?? parseLine(buffer, { end, body });
}

const lines = new FamiliarLines();

function parseLine(buffer: Buffer, { end, body }: { readonly end: number; readonly body: Uint8Array }): Message {
  const line = buffer.toString("utf8", 0, end);
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch (cause) {
    const text = "Expected a message, got bytes whose first line is not JSON.";
    throw new MessageError("MESSAGE_MALFORMED", text, { cause });
  }
  const message = fromHeaders(record, body);
  // Only what this version would have written in just this way is known by its looks.
  if (isOrdinary(message) && headerLine(message) === line) lines.learn(message, line);
  return message;
}

/** The bytes of a message's headers as JSON, without building the frame. */
export function headerBytes(message: Message): number {
  return Buffer.byteLength(headerLine(message));
}

/** The same as JSON.stringify of {@link toHeaders}, at half the price for a message that has nothing special. */
function headerLine(message: Message): string {
  const { id, run, hop, task, queue, attempt, enqueuedAt, notBefore, expiresAt, priority, contentType } = message;
  const { plan, policy, replyTo } = message;
  if (!isOrdinary(message)) return JSON.stringify(toHeaders(message));
  return (
    `{"v":1,"id":"${id}","run":${run},"hop":${hop},"task":"${task}","queue":"${queue}","attempt":${attempt},` +
    `"enqueuedAt":${enqueuedAt}${notBefore === undefined ? "" : `,"notBefore":${notBefore}`}` +
    `${expiresAt === undefined ? "" : `,"expiresAt":${expiresAt}`}` +
    `${priority === undefined ? "" : `,"priority":${priority}`},"contentType":"${contentType}"` +
    `${plan === undefined ? "" : `,"plan":${JSON.stringify(plan)}`}` +
    `${policy === undefined ? "" : `,"policy":${JSON.stringify(policy)}`}` +
    `${replyTo === undefined ? "" : `,"replyTo":"${replyTo}"`}}`
  );
}

const ordinaryFields: ReadonlySet<string> = new Set([
  ...firstHeaders,
  "notBefore",
  "expiresAt",
  "priority",
  "contentType",
  "plan",
  "policy",
  "replyTo",
  "body",
]);

/** Whether there is nothing but common headers, with texts that need no escapes and finite numbers. */
function isOrdinary(message: Message): boolean {
  for (const name in message) if (!ordinaryFields.has(name)) return false;
  const { id, task, queue, contentType, replyTo = "", run, hop, attempt, enqueuedAt } = message;
  const numbers = run + hop + attempt + enqueuedAt + (message.notBefore ?? 0) + (message.expiresAt ?? 0);
  return (
    Number.isFinite(numbers + (message.priority ?? 0)) &&
    isPlainText(id) &&
    isPlainName(task) &&
    isPlainName(queue) &&
    isPlainName(contentType) &&
    isPlainName(replyTo)
  );
}
