import { randomBytes } from "node:crypto";
import { type Duration, parseDuration } from "../duration.ts";
import { CancelTask, ConfigurationError, RetryLater } from "../errors.ts";
import { type Execution, type Middleware, type MiddlewareHost, shortCircuit } from "../middleware.ts";
import { maxStateValueBytes, type StateEntry, type StateKey, type StateStore } from "../state-store.ts";
import { packDone, packRunning, readRecord } from "./idempotency-record.ts";

export interface IdempotencyOptions {
  /**
   * What must happen once only. Tasks with the same name and key are one; without a key a task pays nothing. Default: the
   * header `idempotency-key`. `({ message }) => message.id` guards against second deliveries of one task.
   */
  readonly key?: (execution: Execution) => string | undefined;
  /** How long a result is given again. Default `"1d"`. */
  readonly ttl?: Duration;
  /** How long a claim outlives a worker that crashed; it is renewed while the handler runs. Default `"30s"`. */
  readonly claim?: Duration;
}

/** Milliseconds after which a task looks again whether another with its key has ended, at most. */
const longestPause = 5_000;

/**
 * Lets a handler succeed once for each key. The first claims the key in the state store; its result is given to all that
 * come later, without their handlers being run. One that comes while the first runs comes again later, no attempt
 * counted. A failure gives the claim back. A worker that crashes between its handler's end and the record repeats the
 * work: what cannot bear that must itself be made idempotent, with the key.
 */
export function idempotency(options: IdempotencyOptions = {}): Middleware {
  const { key: findKey = ({ message }) => message.headers?.["idempotency-key"] } = options;
  const ttl = parseDuration(options.ttl ?? "1d", "idempotency, ttl");
  const claim = parseDuration(options.claim ?? "30s", "idempotency, claim");
  let host: MiddlewareHost | undefined;
  return {
    name: "idempotency",
    start: async (role, started) => {
      if (role === "client") return;
      if (started.state === undefined) throw new ConfigurationError("STATE_REQUIRED", needsState);
      host = started;
    },
    execute: (execution, next) => {
      const key = findKey(execution);
      if (key === undefined || host?.state === undefined) return next();
      const place: Place = { key: ["idempotency", execution.message.task, key], state: host.state, host, ttl, claim };
      return runOnce(place, next);
    },
  };
}

const needsState =
  "The middleware idempotency keeps its records in a state store, and none is configured. Set `state`, or choose a result backend that has one.";

interface Place {
  readonly key: StateKey;
  readonly state: StateStore;
  readonly host: MiddlewareHost;
  readonly ttl: number;
  readonly claim: number;
}

async function runOnce(place: Place, next: () => Promise<unknown>): Promise<unknown> {
  const { key, state, claim } = place;
  const value = packRunning(randomBytes(8));
  const [claimed] = await state.put([{ key, value, ttl: claim, expect: "absent" }]);
  if (claimed?.status !== "written") return answerFrom(claimed?.current, place);
  const claimant = keepClaim(place, value, claimed.revision);
  try {
    const result = await next();
    await record(place, result, await claimant.stop());
    return result;
  } catch (error) {
    await giveBack(place, await claimant.stop());
    throw error;
  }
}

/** What another with this key has left. */
function answerFrom(current: StateEntry | undefined, { host }: Place): unknown {
  const record = current === undefined ? undefined : readRecord(current.value);
  if (record?.kind === "done") return shortCircuit(host.serializers.deserialize(record.contentType, record.body));
  if (record?.kind === "unkept")
    throw new CancelTask("Another task with its idempotency key has succeeded; its result was too large to be kept.");
  const remaining = (current?.expiresAt ?? 0) - Date.now();
  throw new RetryLater(Math.min(longestPause, Math.max(100, remaining)));
}

interface Claimant {
  /** Resolves to the revision that stands, or `undefined` when the claim was lost. */
  stop(): Promise<string | undefined>;
}

function keepClaim({ key, state, claim, host }: Place, value: Uint8Array, first: string): Claimant {
  let revision: string | undefined = first;
  let renewing: Promise<void> = Promise.resolve();
  const renew = async (): Promise<void> => {
    if (revision === undefined) return;
    try {
      const [renewed] = await state.put([{ key, value, ttl: claim, expect: { revision } }]);
      revision = renewed?.status === "written" ? renewed.revision : undefined;
    } catch (error) {
      host.logger.warn({ error, key }, "an idempotency claim could not be renewed");
    }
  };
  const timer = setInterval(
    () => {
      renewing = renewing.then(renew);
    },
    Math.max(10, claim / 3),
  );
  return {
    stop: async () => {
      clearInterval(timer);
      await renewing;
      return revision;
    },
  };
}

/** The work is done: what goes wrong from here on must not undo it. */
async function record({ key, state, ttl, host }: Place, result: unknown, revision: string | undefined): Promise<void> {
  try {
    const { contentType } = host.serializers;
    const packed = packDone(contentType, host.serializers.serialize(result), maxStateValueBytes);
    const [written] = await state.put([
      { key, value: packed, ttl, ...(revision !== undefined && { expect: { revision } }) },
    ]);
    if (written?.status !== "written") host.logger.warn({ key }, "an idempotency claim was lost while the task ran");
  } catch (error) {
    host.logger.warn({ error, key }, "an idempotency record could not be kept");
  }
}

async function giveBack({ key, state, host }: Place, revision: string | undefined): Promise<void> {
  if (revision === undefined) return;
  try {
    await state.delete([{ key, expect: { revision } }]);
  } catch (error) {
    host.logger.warn({ error, key }, "an idempotency claim could not be given back");
  }
}
