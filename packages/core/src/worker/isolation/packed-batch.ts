import type { Message } from "../../message.ts";
import type { Captured } from "../../surroundings.ts";
import type { Report, Request, RunRequest } from "./protocol.ts";

/**
 * A batch as it crosses: one text and one piece of bytes, which threads and processes copy far faster than lists of
 * objects. The commonest items are lists without names; bodies lie one after the other in `bytes`.
 */
export type PackedBatch = readonly [text: string, bytes: Uint8Array];

type Item = object;

export function packRequests(requests: readonly Request[]): PackedBatch {
  const bodies: Uint8Array[] = [];
  const items = requests.map((request): Item => {
    if (request.type !== "run") return request;
    bodies.push(request.message.body);
    return packRun(request);
  });
  return [JSON.stringify(items), join(bodies)];
}

export function unpackRequests([text, bytes]: PackedBatch): readonly Request[] {
  const take = reader(bytes);
  return (JSON.parse(text) as readonly (Request | RunItem)[]).map((item) =>
    isRunItem(item) ? unpackRun(item, take) : item,
  );
}

export function packReports(reports: readonly Report[]): PackedBatch {
  const bodies: Uint8Array[] = [];
  const items = reports.map((report): Item => {
    if (report.type !== "ended" || report.how.kind !== "returned") return report;
    const { contentType, body } = report.how;
    bodies.push(body);
    return [report.run, body.length, contentType, report.waited];
  });
  return [JSON.stringify(items), join(bodies)];
}

export function unpackReports([text, bytes]: PackedBatch): readonly Report[] {
  const take = reader(bytes);
  return (JSON.parse(text) as readonly (Report | ReturnedItem)[]).map((item): Report => {
    if (!isReturnedItem(item)) return item;
    const [run, length, contentType, waited] = item;
    return { type: "ended", run, how: { kind: "returned", contentType, body: take(length) }, waited };
  });
}

type ReturnedItem = readonly [run: number, length: number, contentType: string, waited: number];

function isReturnedItem(item: Report | ReturnedItem): item is ReturnedItem {
  return Array.isArray(item);
}

function isRunItem(item: Request | RunItem): item is RunItem {
  return Array.isArray(item);
}

type Rest = Omit<Message, "id" | "task" | "queue" | "attempt" | "run" | "hop" | "enqueuedAt" | "contentType" | "body">;
type RunItem = readonly [
  run: number,
  length: number,
  slots: number,
  deliveryCount: number | null,
  id: string,
  task: string,
  queue: string,
  attempt: number,
  messageRun: number,
  hop: number,
  enqueuedAt: number,
  contentType: string,
  rest: Rest | 0,
  captured: Captured | 0,
];

function packRun({ run, message, deliveryCount, captured, slots }: RunRequest): RunItem {
  const { id, task, queue, attempt, run: messageRun, hop, enqueuedAt, contentType, body } = message;
  return [
    run,
    body.length,
    slots,
    deliveryCount ?? null,
    id,
    task,
    queue,
    attempt,
    messageRun,
    hop,
    enqueuedAt,
    contentType,
    restOf(message),
    captured ?? 0,
  ];
}

/** What most messages have none of. */
function restOf(message: Message): Rest | 0 {
  for (const name in message) {
    if (plainFields.has(name)) continue;
    return Object.fromEntries(Object.entries(message).filter(([field]) => !plainFields.has(field)));
  }
  return 0;
}

const plainFields: ReadonlySet<string> = new Set([
  ...["id", "task", "queue", "attempt", "run", "hop", "enqueuedAt", "contentType", "body"],
]);

function unpackRun(item: RunItem, take: (length: number) => Uint8Array): RunRequest {
  const [run, length, slots, deliveryCount, id, task, queue, ...facts] = item;
  const [attempt, messageRun, hop, enqueuedAt, contentType, rest, captured] = facts;
  const base = { id, task, queue, attempt, run: messageRun, hop, enqueuedAt, contentType, body: take(length) };
  const message: Message = rest === 0 ? base : { ...base, ...rest };
  return {
    type: "run",
    run,
    message,
    deliveryCount: deliveryCount ?? undefined,
    captured: captured || undefined,
    slots,
  };
}

/** Never a view of a larger buffer, all of which would go along to a thread. */
function join(bodies: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const { length } of bodies) size += length;
  const bytes = Buffer.allocUnsafeSlow(size);
  let offset = 0;
  for (const body of bodies) {
    bytes.set(body, offset);
    offset += body.length;
  }
  return bytes;
}

function reader(bytes: Uint8Array): (length: number) => Uint8Array {
  let offset = 0;
  return (length) => {
    offset += length;
    return bytes.subarray(offset - length, offset);
  };
}
