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
  /**
   * Starts what follows a step of a workflow, before the broker forgets the step. Answers whether a failure was made good,
   * or `undefined` when it could not be done for now.
   */
  readonly advance?: (message: Message, outcome: StoredOutcome, isRepeated: boolean) => Promise<boolean | undefined>;
}

/** `unrecorded`: the result backend was out of reach, or what follows could not be started; the delivery comes again. */
export type Committed = "settled" | "lost" | "unrecorded";

export interface Commitment {
  readonly committed: Committed;
  /** What was carried out: another verdict than the given one where the task had been cancelled by force before. */
  readonly verdict: Verdict;
}

/** Carries out a verdict: stores, then tells the broker; the other way round where the task says so. */
export function commit(
  subject: Job | Unrunnable,
  verdict: Verdict,
  parts: CommitParts & { readonly settler: Settler },
): Promise<Commitment> {
  // Where nothing is kept and nothing follows, the commonest way is a short one.
  const isAlone = parts.recorder === undefined && subject.delivery.message?.plan === undefined;
  if (!isAlone || verdict.then.kind === "nothing") return commitWhole(subject, verdict, parts);
  if (subject instanceof Job && subject.isAcknowledged) return Promise.resolve({ committed: "settled", verdict });
  const settlement = toSettlement(subject.delivery, verdict.then);
  if (settlement === undefined) return Promise.resolve({ committed: "settled", verdict });
  return parts.settler.settle(settlement).then((result) => {
    const again = settleReplaced({ subject, settlement, result, verdict: verdict.then }, parts.settler);
    return again === undefined
      ? { committed: result, verdict }
      : again.then((committed) => ({ committed, verdict }));
  });
}

async function commitWhole(
  subject: Job | Unrunnable,
  verdict: Verdict,
  parts: CommitParts & { readonly settler: Settler },
): Promise<Commitment> {
  if (verdict.then.kind === "nothing") return { committed: "lost", verdict };
  const { settler } = parts;
  const outcome = verdict.store === undefined ? undefined : toStored(subject, verdict.store, parts.worker);

  if (!(subject instanceof Job) || subject.options.acknowledge === "stored") {
    const recording = record(outcome, parts);
    const standing = recording === undefined ? outcome : await recording;
    if (recording !== undefined && standing === undefined) {
      await settleDelivery(subject, { kind: "release" }, settler);
      return { committed: "unrecorded", verdict };
    }
    const final = standing === outcome ? verdict : accept(standing, verdict);
    const advancing = advanceFrom(subject, standing, parts);
    const advanced = advancing === false ? false : await advancing;
    // Left unsettled: handed back, it would come as if it had never run. Its lease ends, and its outcome is looked for then.
    if (advanced === undefined) return { committed: "unrecorded", verdict };
    const then: SettleVerdict = advanced ? { kind: "ack" } : final.then;
    return { committed: await settleDelivery(subject, then, settler), verdict: final };
  }
  const committed = subject.isAcknowledged ? "settled" : await settleDelivery(subject, verdict.then, settler);
  if (committed === "lost") return { committed, verdict };
  const recording = record(outcome, parts);
  if (recording === undefined) return { committed, verdict };
  const standing = await recording;
  if (standing === undefined) return { committed: "unrecorded", verdict };
  return { committed, verdict: standing === outcome ? verdict : accept(standing, verdict) };
}

/** `false` where nothing follows. */
function advanceFrom(
  subject: Job | Unrunnable,
  standing: StoredOutcome | undefined,
  { advance }: CommitParts,
): false | Promise<boolean | undefined> {
  const { message } = subject.delivery;
  if (message?.plan === undefined || advance === undefined) return false;
  const repeated = !(subject instanceof Job) && subject.ended.kind === "repeated" ? subject.ended.outcome : undefined;
  const outcome = repeated ?? standing;
  return outcome === undefined ? false : advance(message, outcome, (subject.delivery.deliveryCount ?? 2) > 1);
}

/** A cancellation by force that was stored first wins over whatever the handler came to: nothing of it is kept. */
function accept(standing: StoredOutcome | undefined, verdict: Verdict): Verdict {
  if (standing?.status !== "cancelled") return verdict;
  const { reason = "", code = "TASK_CANCELLED" } = standing;
  return { store: { status: "cancelled", code, reason }, then: { kind: "ack" } };
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
  const settlement = toSettlement(subject.delivery, verdict);
  if (settlement === undefined) return Promise.resolve("settled");
  return settler
    .settle(settlement)
    .then((result) => settleReplaced({ subject, settlement, result, verdict }, settler) ?? result);
}

interface Settled {
  readonly subject: Job | Unrunnable;
  readonly settlement: Settlement;
  readonly result: "settled" | "lost";
  readonly verdict: SettleVerdict;
}

/**
 * A delivery that was replaced meanwhile, because its connection was lost, is settled under its new token. Where the old
 * one could be settled all the same, the new one is a second copy, and has nothing more to tell.
 */
function settleReplaced(
  { subject, settlement, result, verdict }: Settled,
  settler: Settler,
): Promise<"settled" | "lost"> | undefined {
  if (subject.delivery === settlement.delivery) return undefined;
  return settleDelivery(subject, result === "settled" ? { kind: "ack" } : verdict, settler);
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
  const { id, task, run, enqueuedAt, replyTo } = message;
  const ttl = subject instanceof Job ? subject.options.resultTtl : defaultTaskOptions.resultTtl;
  const attempt = store.status === "failed" ? store.attempt : message.attempt;
  const address = replyTo === undefined ? undefined : { replyTo };
  if (!(subject instanceof Job))
    return { id, task, run, enqueuedAt, finishedAt, worker, ttl, ...store, attempt, ...address };
  const { startedAt } = subject;
  // The commonest, without copies.
  if (store.status === "succeeded" && address === undefined)
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
  return { id, task, run, enqueuedAt, startedAt, finishedAt, worker, ttl, ...store, attempt, ...address };
}

/** What an outcome says of a message that could not be read. */
const unreadable = { task: "", run: 0, attempt: 0, ttl: defaultTaskOptions.resultTtl };

function readableId(subject: Job | Unrunnable): string {
  return subject instanceof Job ? subject.message.id : (subject.id ?? "");
}
