import type { QueueScript } from "./compose-script.ts";
import type { QueueStorage } from "./storage.ts";

/** What each queue has, however its messages are stored, by the names in the scripts. */
const sharedNames = {
  lease: "lease",
  count: "count",
  delayed: "delayed",
  latest: "latest",
  done: "done",
  done_old: "done:old",
  done_since: "done:since",
  marker: "marker",
  dead: "dead",
  dead_message: "dead:message",
  dead_reason: "dead:reason",
  turn: "turn",
} as const;

/** The keys of one queue, all in one slot of a cluster by their hash tag. The README says what each holds. */
export interface QueueKeys<TName extends string = string> extends Readonly<Record<keyof typeof sharedNames, string>> {
  readonly all: readonly string[];
  /** Those that a script gets, in its order. */
  readonly of: (script: Pick<QueueScript, "keyNames">) => readonly string[];
  /** The number of the last request of a consumer that got something. */
  readonly requestOf: (consumer: string) => string;
  /** A key of the storage, by its name in the scripts. */
  readonly own: Readonly<Record<TName, string>>;
}

/** What of a storage decides about keys. */
interface KeyPlace<TName extends string> extends Pick<QueueStorage, "prefix"> {
  readonly names: Readonly<Record<TName, string>>;
}

export function queueKeys<TName extends string>(
  { names, prefix }: KeyPlace<TName>,
  namespace: string,
  queue: string,
): QueueKeys<TName> {
  const tag = `{${namespace}:${queue}}:${prefix}`;
  const own = tagged(tag, names);
  const shared = tagged(tag, sharedNames);
  const requestOf = (consumer: string): string => `${tag}request:${consumer}`;
  const byName: Readonly<Record<string, string>> = { ...own, ...shared };
  const known = new Map<readonly string[], readonly string[]>();
  const keysOf = ({ keyNames }: Pick<QueueScript, "keyNames">): readonly string[] => {
    const keys = known.get(keyNames) ?? keyNames.map((name) => byName[name] as string);
    known.set(keyNames, keys);
    return keys;
  };
  return { ...shared, own, all: Object.values(byName), of: keysOf, requestOf };
}

/** The set of all queues' names. */
export function registryKey({ prefix }: Pick<QueueStorage, "prefix">, namespace: string): string {
  return `${namespace}:${prefix}queues`;
}

/** What each key is called in the scripts. */
export function keyNames({ names }: Pick<QueueStorage, "names">): readonly string[] {
  return [...Object.keys(names), ...Object.keys(sharedNames)];
}

function tagged<TName extends string>(
  tag: string,
  names: Readonly<Record<TName, string>>,
): Readonly<Record<TName, string>> {
  const entries = Object.entries<string>(names).map(([name, end]) => [name, tag + end] as const);
  return Object.fromEntries(entries) as Record<TName, string>;
}
