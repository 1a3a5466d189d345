import { ClosedError, MessageError, type OutgoingMessage, type PublishResult } from "@taskferry/core";
import { closed, isFault, isUncertain } from "./file-fault.ts";
import type { FileUse } from "./file-use.ts";
import { packItems } from "./pack-items.ts";
import type { PublishItem } from "./protocol.ts";
import { toPublishItem } from "./publish-item.ts";

/** Bytes of an encoded message at most. */
export const maxMessageBytes: number = 64 * 1024 * 1024;

/** Publishes what is not too large, and answers per message. */
export async function publish(
  file: FileUse,
  messages: readonly OutgoingMessage[],
  timeout: number,
): Promise<readonly PublishResult[]> {
  if (!file.isOpen()) throw new ClosedError("The sqlite broker");
  const items = messages.map(toPublishItem);
  const fitting = items.filter(fits);
  const results = fitting.length === 0 ? [] : await publishFitting(file, fitting, timeout);
  const resultOf = new Map(fitting.map((item, index) => [item, results[index]]));
  return items.map((item) => resultOf.get(item) ?? { status: "refused", error: tooLarge(item) });
}

function fits(item: PublishItem): boolean {
  return item.bytes.byteLength <= maxMessageBytes;
}

function tooLarge({ key, bytes }: PublishItem): MessageError {
  return new MessageError(
    "MESSAGE_TOO_LARGE",
    `Expected a message of at most ${maxMessageBytes} bytes, got ${bytes.byteLength} (${key}). Keep large inputs elsewhere and send where they are.`,
  );
}

/** Where the answer is lost, it sends again: the file recognises what it has. */
async function publishFitting(
  file: FileUse,
  items: readonly PublishItem[],
  timeout: number,
): Promise<readonly PublishResult[]> {
  const deadline = performance.now() + timeout;
  for (let isUnsure = false; ; isUnsure = true) {
    const { packed, buffer } = packItems(items);
    const left = Math.max(0, deadline - performance.now());
    try {
      const answers = await file.link.request("publish", packed, { timeout: left, transfer: [buffer] });
      return answers.map((answer) => ({ status: isUnsure ? "accepted" : answer }));
    } catch (error) {
      if (isUncertain(error) && performance.now() < deadline) continue;
      if (isFault(error, closed.code)) throw file.toError(error);
      if (isUnsure || isUncertain(error)) return items.map(() => ({ status: "unknown", error: file.toError(error) }));
      if (!isFault(error, "SQLITE_FULL")) throw file.toError(error);
      return items.map(() => ({ status: "refused", error: file.toError(error) }));
    }
  }
}
