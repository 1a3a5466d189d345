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

type Parts = CommitParts & { readonly settler: Settler };
type OnCommitted = (commitment: Commitment) => void;

/** What is to be carried out. */
interface Commission {
  readonly subject: Job | Unrunnable;
  readonly verdict: Verdict;
}

interface Recording extends Commission {
  /** What the handler, or its absence, came to; `undefined` where nobody wants to know. */
  readonly outcome: StoredOutcome | undefined;
}

/**
 * Carries out a verdict: stores, then tells the broker; the other way round where the task says so. By callbacks, since
 * this is done for every task.
 */
export function commit({ subject, verdict }: Commission, parts: Parts, onCommitted: OnCommitted): void {
  if (verdict.then.kind === "nothing") return onCommitted({ committed: "lost", verdict });
  const outcome = outcomeOf(subject, verdict, parts);
  const isStoredFirst = !(subject instanceof Job) || subject.options.acknowledge === "stored";
  if (isStoredFirst) storeFirst({ subject, verdict, outcome }, parts, onCommitted);
  else settleFirst({ subject, verdict, outcome }, parts, onCommitted);
}

function storeFirst({ subject, verdict, outcome }: Recording, parts: Parts, onCommitted: OnCommitted): void {
  const { settler } = parts;
  const proceed = (standing: StoredOutcome | undefined): void => {
    const final = standing === outcome ? verdict : accept(standing, verdict);
    const settleAs = (then: SettleVerdict): void =>
      settleDelivery({ subject, then }, settler, (committed) => onCommitted({ committed, verdict: final }));
    const advancing = advanceFrom(subject, standing, parts);
    if (advancing === false) return settleAs(final.then);
    void advancing.then((advanced) => {
      // Left unsettled: handed back, it would come as if it had never run. Its lease ends, and its outcome is looked for then.
      if (advanced === undefined) onCommitted({ committed: "unrecorded", verdict });
      else settleAs(advanced ? { kind: "ack" } : final.then);
    });
  };
  record(outcome, parts, (standing) => {
    if (standing !== undefined || outcome === undefined) return proceed(standing);
    const release = { subject, then: { kind: "release" } } as const;
    settleDelivery(release, settler, () => onCommitted({ committed: "unrecorded", verdict }));
  });
}

function settleFirst({ subject, verdict, outcome }: Recording, parts: Parts, onCommitted: OnCommitted): void {
  const proceed = (committed: "settled" | "lost"): void => {
    if (committed === "lost") return onCommitted({ committed, verdict });
    record(outcome, parts, (standing) => {
      if (standing === undefined && outcome !== undefined) return onCommitted({ committed: "unrecorded", verdict });
      onCommitted({ committed, verdict: standing === outcome ? verdict : accept(standing, verdict) });
    });
  };
  if (subject instanceof Job && subject.isAcknowledged) proceed("settled");
  else settleDelivery({ subject, then: verdict.then }, parts.settler, proceed);
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

function outcomeOf(
  subject: Job | Unrunnable,
  { store }: Verdict,
  { recorder, worker }: CommitParts,
): StoredOutcome | undefined {
  const isWanted = recorder !== undefined || subject.delivery.message?.plan !== undefined;
  return store !== undefined && isWanted ? toStored(subject, store, worker) : undefined;
}

/** Answers with the outcome that stands: the given one where there is nowhere to store it; `undefined` when that failed. */
function record(
  outcome: StoredOutcome | undefined,
  { recorder, progress }: CommitParts,
  onStored: (standing: StoredOutcome | undefined) => void,
): void {
  if (outcome === undefined || recorder === undefined || outcome.id === "") return onStored(outcome);
  const writing = progress.flush(outcome.id);
  if (writing === undefined) recorder.storeThen(outcome, onStored);
  else void writing.then(() => recorder.storeThen(outcome, onStored));
}

function settleDelivery(
  { subject, then }: { readonly subject: Job | Unrunnable; readonly then: SettleVerdict },
  settler: Settler,
  onSettled: (result: "settled" | "lost") => void,
): void {
  const { delivery } = subject;
  const settlement = toSettlement(delivery, then);
  if (settlement === undefined) return onSettled("settled");
  settler.settleThen(settlement, (result) => {
    if (subject.delivery === delivery) return onSettled(result);
    // A delivery that was replaced meanwhile, because its connection was lost, is settled under its new token. Where the
    // old one could be settled all the same, the new one is a second copy, and has nothing more to tell.
    settleDelivery({ subject, then: result === "settled" ? { kind: "ack" } : then }, settler, onSettled);
  });
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
