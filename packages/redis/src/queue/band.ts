import { defaultPriority, type Message } from "@taskferry/core";

/** Priorities 7-9, 4-6 and 0-3 as bands 2, 1 and 0. */
export function bandOf({ priority = defaultPriority }: Message): 0 | 1 | 2 {
  return priority >= 7 ? 2 : priority >= 4 ? 1 : 0;
}

/** What the scripts are told of where a message goes. */
export function bandAndDelay(message: Message, delay: number): string {
  return `${bandOf(message)} ${Math.max(0, Math.ceil(delay))}`;
}
