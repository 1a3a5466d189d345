import { dedupeId, defaultPriority, encodeMessage, type OutgoingMessage } from "@taskferry/core";
import type { Band, PublishItem } from "./protocol.ts";

export function toPublishItem({ message, delay = 0 }: OutgoingMessage): PublishItem {
  return {
    key: dedupeId(message),
    queue: message.queue,
    band: bandOf(message.priority ?? defaultPriority),
    delay,
    bytes: encodeMessage(message),
  };
}

function bandOf(priority: number): Band {
  if (priority >= 7) return 0;
  return priority >= 4 ? 1 : 2;
}
