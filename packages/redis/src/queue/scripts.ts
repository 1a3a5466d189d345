import { composeScript, type QueueScript } from "./compose-script.ts";
import { keyNames } from "./keys.ts";
import { acknowledge } from "./scripts/acknowledge.ts";
import { bookkeeping, place } from "./scripts/bookkeeping.ts";
import { depth } from "./scripts/depth.ts";
import { extend } from "./scripts/extend.ts";
import { page } from "./scripts/page.ts";
import { publish } from "./scripts/publish.ts";
import { read } from "./scripts/read.ts";
import { remove } from "./scripts/remove.ts";
import { settle } from "./scripts/settle.ts";
import { surroundings } from "./scripts/surroundings.ts";
import { take } from "./scripts/take.ts";
import { tombstones } from "./scripts/tombstones.ts";
import type { QueueStorage } from "./storage.ts";

const steps = { publish, take, acknowledge, settle, extend, page, read, remove, depth } as const;

/** The steps of a queue, each a script. */
export type QueueScripts = Readonly<Record<keyof typeof steps, QueueScript>>;

export function queueScripts(storage: QueueStorage): QueueScripts {
  const shared = [surroundings, storage.lua, tombstones, bookkeeping, place].join("");
  const scripts = Object.entries(steps).map(([step, body]) => {
    return [step, composeScript({ name: scriptName(storage, step), keyNames: keyNames(storage), shared, body })];
  });
  return Object.fromEntries(scripts) as QueueScripts;
}

/** `taskferry-redis-list-take` */
function scriptName({ name }: QueueStorage, step: string): string {
  return `taskferry-${name}-${step}`;
}
