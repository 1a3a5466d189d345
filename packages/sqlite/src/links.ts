import { createLink, type FileLink } from "./link.ts";
import type { ThreadOptions } from "./protocol.ts";

/** The files that this process has open: a broker and its companions share one thread, however they were made. */
const links = new Map<string, FileLink>();

export function linkTo(options: ThreadOptions): FileLink {
  const { path, synchronous, dedupeWindow } = options;
  const key = JSON.stringify([path, synchronous, dedupeWindow]);
  const link = links.get(key) ?? createLink(options);
  links.set(key, link);
  return link;
}
