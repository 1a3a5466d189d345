import type { Input, Output } from "../protocol.ts";
import { listEntries, readEntry } from "./entries.ts";
import { listQueueNames, listSection, readQueueRow } from "./inspect.ts";
import { listMembers } from "./members.ts";
import { readResult } from "./results.ts";
import type { Session } from "./session.ts";
import { readSequence } from "./transaction.ts";

/** What is answered at once. */
export type ReadName =
  | "queues"
  | "listQueue"
  | "readQueue"
  | "newest"
  | "getResults"
  | "getEntries"
  | "listEntries"
  | "listMembers";

export type Reads = { readonly [K in ReadName]: (input: Input<K>) => Output<K> };

export function createReads(session: Session): Reads {
  return {
    queues: () => listQueueNames(session),
    listQueue: (request) => listSection(session, request),
    readQueue: (request) => readQueueRow(session, request),
    newest: ({ section }) => readSequence(session, section === "dead" ? "dead" : "message"),
    getResults: (ids) => ids.map((id) => readResult(session, id)),
    getEntries: (keys) => keys.map((key) => readEntry(session, key)),
    listEntries: (request) => listEntries(session, request),
    listMembers: ({ set }) => listMembers(session, set),
  };
}
