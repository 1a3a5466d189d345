import { createHash } from "node:crypto";
import type { StateKey } from "@taskferry/core";
import { nameOf } from "./names.ts";

/** Where things of one first segment are kept: all in one slot of a cluster. */
export interface Layout {
  readonly index: string;
  readonly revisions: string;
  readonly entryPrefix: string;
  readonly channel: string;
}

/** The set of all first segments. */
export function segmentsKey(namespace: string): string {
  return `${namespace}:state`;
}

export function layoutOf(namespace: string, segment: string): Layout {
  const tag = tagOf(namespace, segment);
  return {
    index: `${tag}:index`,
    revisions: `${tag}:revisions`,
    entryPrefix: `${tag}:entry:`,
    channel: `${channelPrefix(namespace)}${segment}`,
  };
}

export function channelPrefix(namespace: string): string {
  return `${namespace}:state-changes:`;
}

export function counterKey(namespace: string, key: StateKey): string {
  return `${tagOf(namespace, key[0] ?? "")}:counter:${nameOf(key)}`;
}

export function setKey(namespace: string, key: StateKey): string {
  return `${tagOf(namespace, key[0] ?? "")}:set:${nameOf(key)}`;
}

/** A segment with a brace would end the hash tag, so such a one is named by its digest. */
function tagOf(namespace: string, segment: string): string {
  return /[{}]/.test(segment)
    ? `{${namespace}:state#${createHash("sha256").update(segment).digest("hex")}}`
    : `{${namespace}:state:${segment}}`;
}
