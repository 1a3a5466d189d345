import type { Delivery, Settlement } from "../broker.ts";
import type { Message } from "../message.ts";
import type { StoredOutcome } from "../outcome.ts";
import { defaultTaskOptions } from "../task-options.ts";
import { Job, type Unrunnable } from "./job.ts";
import type { ProgressWriter } from "./progress-writer.ts";
import type { Recorder } from "./recorder.ts";
import type { SettleVerdict, StoreVerdict, Verdict } from "./settle.ts";
import type { Settler } from "./settler.ts";

export interface CommitParts {
  readonly recorder: Recorder | undefined;
  readonly progress: ProgressWriter;
  readonly worker: string;
}

/** `unrecorded`: the result backend was out of reach, so the delivery was handed back. */
export type Committed = "settled" | "lost" | "unrecorded";

/** Carries out a verdict: stores, then tells the broker; the other way round where the task says so. */
export async function commit(
  subject: Job | Unrunnable,
  verdict: Verdict,
  parts: CommitParts & { readonly settler: Settler },
): Promise<Committed> {
  if (verdict.then.kind === "nothing") return "lost";
  const { settler } = parts;
  const outcome = verdict.store === undefined ? undefined : toStored(subject, verdict.store, parts.worker);

  if (!(subject instanceof Job) || subject.options.acknowledge === "stored") {
    const recording = record(outcome, parts);
    if (recording === undefined || (await recording) !== undefined)
      return settleDelivery(subject, verdict.then, settler);
    await settleDelivery(subject, { kind: "release" }, settler);
    return "unrecorded";
  }
  const result = subject.isAcknowledged ? "settled" : await settleDelivery(subject, verdict.then, settler);
  if (result === "lost") return result;
  const recording = record(outcome, parts);
  return recording === undefined || (await recording) !== undefined ? result : "unrecorded";
}

/** `undefined` where there is nothing to store, or nowhere. */
function record(
  outcome: StoredOutcome | undefined,
  { recorder, progress }: CommitParts,
): Promise<StoredOutcome | undefined> | undefined {
  if (outcome === undefined || recorder === undefined || outcome.id === "") return undefined;
  const writing = progress.flush(outcome.id);
  return writing === undefined ? recorder.store(outcome) : writing.then(() => recorder.store(outcome));
}

function settleDelivery(
  subject: Job | Unrunnable,
  verdict: SettleVerdict,
  settler: Settler,
): Promise<"settled" | "lost"> {
  const { delivery } = subject;
  const settlement = toSettlement(delivery, verdict);
  if (settlement === undefined) return Promise.resolve("settled");
  const settling = settler.settle(settlement);
  if (!(subject instanceof Job)) return settling;
  // A delivery that was replaced meanwhile, because its connection was lost, is settled under its new token.
  return settling.then((result) =>
    result === "settled" || subject.delivery === delivery ? result : settleDelivery(subject, verdict, settler),
  );
}

function toSettlement(delivery: Delivery, verdict: SettleVerdict): Settlement | undefined {
  switch (verdict.kind) {
    case "ack":
    case "release":
      return { kind: verdict.kind, delivery };
    case "reject":
      return {
        kind: "reject",
        delivery,
        reason: { code: verdict.code, message: verdict.message.slice(0, 4_096), at: Date.now() },
      };
    case "retry":
      return delivery.message === undefined
        ? undefined
        : { kind: "retry", delivery, next: nextAttempt(delivery.message, verdict), delay: verdict.delay };
    case "nothing":
      return undefined;
  }
}

function nextAttempt(
  message: Message,
  { attempt, delay }: { readonly attempt: number; readonly delay: number },
): Message {
  return { ...message, attempt, hop: message.hop + 1, notBefore: Date.now() + delay };
}

function toStored(subject: Job | Unrunnable, store: StoreVerdict, worker: string): StoredOutcome {
  const { message } = subject.delivery;
  const finishedAt = Date.now();
  if (message === undefined)
    return { ...unreadable, id: readableId(subject), enqueuedAt: finishedAt, finishedAt, worker, ...store };
  const { id, task, run, enqueuedAt } = message;
  const ttl = subject instanceof Job ? subject.options.resultTtl : defaultTaskOptions.resultTtl;
  const attempt = store.status === "failed" ? store.attempt : message.attempt;
  if (!(subject instanceof Job)) return { id, task, run, enqueuedAt, finishedAt, worker, ttl, ...store, attempt };
  const { startedAt } = subject;
  // The commonest, without copies.
  if (store.status === "succeeded")
    return {
      id,
      task,
      run,
      attempt,
      status: "succeeded",
      enqueuedAt,
      startedAt,
      finishedAt,
      worker,
      ttl,
      result: store.result,
    };
  return { id, task, run, enqueuedAt, startedAt, finishedAt, worker, ttl, ...store, attempt };
}

/** What an outcome says of a message that could not be read. */
const unreadable = { task: "", run: 0, attempt: 0, ttl: defaultTaskOptions.resultTtl };

function readableId(subject: Job | Unrunnable): string {
  return subject instanceof Job ? subject.message.id : (subject.id ?? "");
}
