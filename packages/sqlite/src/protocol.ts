import type { Gate } from "./gate.ts";

/**
 * What the main thread and the thread of a file say to each other. Both import this file as types only.
 *
 * A call is answered once, but for `watch`, which is told of changes until it is cancelled. Calls of one moment travel
 * together, and so do answers. Bytes travel in buffers that are handed over, not copied.
 */
export interface Operations {
  publish: { input: readonly PublishItem[]; output: readonly PublishAnswer[] };
  /** Answered as soon as there is something to take; cancelled, with nothing. */
  take: { input: TakeRequest; output: readonly TakenMessage[] };
  /** Answers per item the wall-clock end of the lease, or 0 where it is lost. */
  extend: { input: { readonly leases: readonly LeaseReference[]; readonly length: number }; output: readonly number[] };
  /** Answers per item whether the lease was held. */
  settle: { input: readonly SettleItem[]; output: readonly boolean[] };
  /** Ends leases at once, as if their time were over. */
  abandon: { input: readonly LeaseReference[]; output: undefined };

  queues: { input: undefined; output: readonly string[] };
  depth: { input: { readonly queue: string }; output: Depth };
  listQueue: { input: QueueListRequest; output: { readonly rows: readonly QueueRow[]; readonly cursor?: string } };
  readQueue: {
    input: { readonly queue: string; readonly section: Section; readonly key: string };
    output: QueueRow | undefined;
  };
  removeQueued: {
    input: { readonly queue: string; readonly section: Section; readonly keys: readonly string[] };
    output: number;
  };
  /** Removes a limited number. Answers 0 when none are left. */
  purgeQueue: {
    input: { readonly queue: string; readonly section: Section; readonly upTo: number };
    output: number;
  };
  /** The sequence number of the newest message or dead letter, by which a purge ends. */
  newest: { input: { readonly section: Section }; output: number };

  /** Answers per item the bytes that stand where it did not win. */
  storeResults: { input: readonly ResultItem[]; output: readonly (Uint8Array | undefined)[] };
  getResults: { input: readonly string[]; output: readonly (Uint8Array | undefined)[] };
  /** Answered as soon as there is an outcome of that run or a higher one; cancelled, with nothing. */
  awaitResult: { input: { readonly id: string; readonly run: number }; output: Uint8Array | undefined };
  deleteResults: { input: readonly string[]; output: number };

  getEntries: { input: readonly Uint8Array[]; output: readonly (EntryRow | undefined)[] };
  putEntries: { input: readonly EntryPut[]; output: readonly EntryPutAnswer[] };
  deleteEntries: { input: readonly EntryDelete[]; output: readonly boolean[] };
  listEntries: { input: EntryListRequest; output: readonly EntryRow[] };
  /** Answered with the newest revision at once, then told of every change after it, until cancelled. */
  watch: { input: KeyRange; output: number };
  increment: { input: IncrementRequest; output: { readonly value: number; readonly added: boolean } };
  addMembers: { input: AddRequest; output: { readonly added: readonly number[]; readonly size: number } };
  removeMembers: {
    input: { readonly set: Uint8Array; readonly members: readonly Uint8Array[] };
    output: { readonly removed: number; readonly size: number };
  };
  listMembers: { input: { readonly set: Uint8Array }; output: readonly Uint8Array[] };
}

export type OperationName = keyof Operations;
export type Input<K extends OperationName> = Operations[K]["input"];
export type Output<K extends OperationName> = Operations[K]["output"];

/** One call: its number, what is asked, milliseconds it may wait for the file, and with what. */
export type Call<K extends OperationName = OperationName> = {
  [N in K]: readonly [number: number, operation: N, timeout: number, input: Input<N>];
}[K];

export type ThreadRequest =
  | { readonly type: "calls"; readonly calls: readonly Call[] }
  | { readonly type: "cancel"; readonly number: number }
  | { readonly type: "close" };

export type Answer =
  | readonly [number: number, kind: "done", value: unknown]
  | readonly [number: number, kind: "failed", fault: Fault]
  | readonly [number: number, kind: "changes", changes: WatchNews];

export type ThreadReport =
  | { readonly type: "ready"; readonly warnings: readonly string[] }
  | { readonly type: "answers"; readonly answers: readonly Answer[] }
  /** The file cannot be opened, or can be used no longer. The thread ends. */
  | { readonly type: "unusable"; readonly fault: Fault };

/** Why the thread could not do something. */
export interface Fault {
  /** A result code of SQLite such as `SQLITE_FULL`, or one of our own. */
  readonly code: string;
  readonly message: string;
}

export interface ThreadOptions {
  readonly path: string;
  readonly synchronous: "normal" | "full";
  /** Milliseconds that opening may wait for others. */
  readonly timeout: number;
  /** Milliseconds for which a message that has left its queue is recognised. */
  readonly dedupeWindow: number;
}

/** What a thread is started with. */
export interface ThreadStart extends ThreadOptions {
  readonly gate: Gate;
}

/** 0: priorities 7-9, 1: 4-6, 2: 0-3. */
export type Band = 0 | 1 | 2;
export type Section = "ready" | "delayed" | "running" | "dead";
export type Depth = Readonly<Record<Section, number>>;

export interface PublishItem {
  /** `id:run:hop` */
  readonly key: string;
  readonly queue: string;
  readonly band: Band;
  readonly delay: number;
  readonly bytes: Uint8Array;
}

export type PublishAnswer = "accepted" | "duplicate";

export interface TakeRequest {
  readonly queue: string;
  readonly max: number;
  readonly lease: number;
  /** Names this take and no other: only who knows it can settle what it got. */
  readonly owner: string;
}

export interface TakenMessage {
  readonly sequence: number;
  readonly deliveries: number;
  /** Wall-clock end of the lease. */
  readonly until: number;
  readonly bytes: Uint8Array;
}

export interface LeaseReference {
  readonly sequence: number;
  readonly owner: string;
}

export type SettleItem = LeaseReference &
  (
    | { readonly kind: "ack" }
    | { readonly kind: "release" }
    | { readonly kind: "retry"; readonly next: PublishItem }
    | { readonly kind: "reject"; readonly id: string | undefined; readonly reason: DeadReason }
  );

export interface DeadReason {
  readonly code: string;
  readonly message: string;
  readonly at: number;
}

export interface QueueListRequest {
  readonly queue: string;
  readonly section: Section;
  readonly limit: number;
  readonly cursor?: string;
}

export interface QueueRow {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly dueAt?: number;
  readonly reason?: DeadReason;
}

export interface ResultItem {
  readonly id: string;
  readonly run: number;
  readonly ttl: number;
  readonly bytes: Uint8Array;
}

export interface KeyRange {
  readonly from: Uint8Array;
  /** Not included itself. */
  readonly to: Uint8Array;
}

export interface EntryRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly expiresAt: number | undefined;
}

export interface EntryPut {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly ttl: number | undefined;
  /** `undefined`: write in any case. 0: only where nothing stands. */
  readonly expect: number | undefined;
}

export type EntryPutAnswer = { readonly revision: number } | { readonly current: EntryRow | undefined };

export interface EntryDelete {
  readonly key: Uint8Array;
  readonly expect: number | undefined;
}

export interface EntryListRequest extends KeyRange {
  readonly limit: number;
}

/** `gap`: changes were forgotten before they were told; begin again. */
export type WatchNews = "gap" | readonly EntryChange[];

export interface EntryChange {
  readonly key: Uint8Array;
  readonly revision: number;
  /** Absent: deleted. */
  readonly value?: Uint8Array;
  readonly expiresAt?: number;
}

export interface IncrementRequest {
  readonly key: Uint8Array;
  readonly by: number;
  readonly ttl: number;
  readonly ceiling: number | undefined;
}

export interface AddRequest {
  readonly set: Uint8Array;
  readonly members: readonly Uint8Array[];
  readonly ttl: number;
  readonly max: number | undefined;
}
