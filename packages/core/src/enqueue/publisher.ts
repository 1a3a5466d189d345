import { setTimeout as wait } from "node:timers/promises";
import { createBatcher } from "../batcher.ts";
import type { Broker, OutgoingMessage, PublishResult } from "../broker.ts";
import { BrokerError, isTaskferryError, type TaskferryError } from "../errors.ts";
import { monotonicNow } from "../lifecycle.ts";

/** Publishes through batches of one moment. */
export interface Publisher {
  /** `unknown` when the broker could not be asked, or did not answer, for as long as the message may wait. */
  add(outgoing: OutgoingMessage): Promise<PublishResult>;
  /** Resolves once everything added so far is answered. */
  drain(): Promise<void>;
}

interface Waiting {
  readonly outgoing: OutgoingMessage;
  readonly deadline: number;
}

const longestPause = 100;

/** @param timeout - milliseconds that a message may wait for the broker, outages and repetitions included. */
export function createPublisher(broker: Broker, timeout: number): Publisher {
  const batcher = createBatcher<Waiting, PublishResult>({
    run: (batch) => publishFully(broker, batch, timeout / 10),
    maxItems: 500,
    maxInFlight: 4,
  });
  return {
    add: (outgoing) => batcher.add({ outgoing, deadline: monotonicNow() + timeout }),
    drain: batcher.drain,
  };
}

/**
 * Publishes again, under the same hop, what the broker could not tell of, until all is known or the time of each is
 * over. Messages of one batch have deadlines of their own: thousands may gather during an outage, and neither must the
 * first wait with the last nor the last give up with the first. `slice` is how late, at most, one may give up.
 */
async function publishFully(
  broker: Broker,
  batch: readonly Waiting[],
  slice: number,
): Promise<readonly PublishResult[]> {
  const first = await publishOnce(
    broker,
    batch.map(({ outgoing }) => outgoing),
    Math.max(slice, (batch[0]?.deadline ?? 0) - monotonicNow()),
  );
  if (!isTaskferryError(first) && first.every(isKnown)) return first;
  return publishOpen(broker, batch, { slice, first });
}

interface FirstTry {
  readonly slice: number;
  readonly first: readonly PublishResult[] | TaskferryError;
}

async function publishOpen(
  broker: Broker,
  batch: readonly Waiting[],
  { slice, first }: FirstTry,
): Promise<readonly PublishResult[]> {
  let failure = isTaskferryError(first) ? first : undefined;
  const results: (PublishResult | undefined)[] = isTaskferryError(first) ? batch.map(() => undefined) : [...first];
  const pause = Math.min(longestPause, slice);
  for (;;) {
    const now = monotonicNow();
    const open = [...batch.entries()].filter(([at, { deadline }]) => !isKnown(results[at]) && deadline > now);
    if (open.length === 0) return results.map((result) => result ?? { status: "unknown", error: failure ?? tooLate() });
    await wait(pause);
    const answers = await publishOnce(
      broker,
      open.map(([, { outgoing }]) => outgoing),
      Math.max(slice, ...open.slice(0, 1).map(([, { deadline }]) => deadline - now)),
    );
    if (isTaskferryError(answers)) failure = answers;
    else for (const [place, [at]] of open.entries()) results[at] = latest(results[at], answers[place]);
    if (results.every(isKnown)) return results;
  }
}

function isKnown(result: PublishResult | undefined): result is PublishResult {
  return result !== undefined && result.status !== "unknown";
}

/** What the second publish finds there is what the first one left. */
function latest(before: PublishResult | undefined, answer: PublishResult | undefined): PublishResult | undefined {
  return before?.status === "unknown" && answer?.status === "duplicate" ? { status: "accepted" } : answer;
}

/** Answers by item, or the error that says that nothing was attempted. */
async function publishOnce(
  broker: Broker,
  messages: readonly OutgoingMessage[],
  timeout: number,
): Promise<readonly PublishResult[] | TaskferryError> {
  try {
    return await broker.publish(messages, { timeout });
  } catch (error) {
    if (isTaskferryError(error, "BROKER_UNAVAILABLE")) return error;
    throw error;
  }
}

function tooLate(): TaskferryError {
  const text = "The message waited for the whole `publishTimeout` behind others that the broker did not take.";
  return new BrokerError("BROKER_UNAVAILABLE", text);
}
