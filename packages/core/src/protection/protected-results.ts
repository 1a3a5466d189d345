import { isTaskferryError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { StoredOutcome } from "../outcome.ts";
import type { ResultBackend } from "../result-backend.ts";
import type { Body, BodyPlace } from "./body.ts";
import type { Signatures } from "./signatures.ts";
import { signOutcome, verifyOutcome } from "./signed-outcome.ts";

export interface ResultProtection {
  readonly signatures: Signatures | undefined;
  readonly close: (body: Body, place: BodyPlace, ttl: number) => Body | Promise<Body>;
  readonly open: (body: Body, place: BodyPlace) => Body | Promise<Body>;
  readonly logger: Logger;
}

/**
 * A result backend whose outcomes are encrypted, kept beside where they are large, and signed; for whoever uses it they
 * are what they were. An outcome that cannot be trusted is as if it were not there, and is logged; who waits for it gets
 * the error.
 */
export function protectedResults(results: ResultBackend, protection: ResultProtection): ResultBackend {
  const { signatures, logger } = protection;
  const openTrusted = async (stored: StoredOutcome | undefined): Promise<StoredOutcome | undefined> => {
    if (stored === undefined) return undefined;
    try {
      if (signatures !== undefined) verifyOutcome(stored, signatures);
    } catch (error) {
      if (!isTaskferryError(error)) throw error;
      logger.error({ error, id: stored.id }, "an outcome in the result backend cannot be trusted: it is ignored");
      return undefined;
    }
    return openOutcome(stored, protection);
  };
  return {
    name: results.name,
    contract: results.contract,
    capabilities: results.capabilities,
    ...(results.state !== undefined && { state: results.state }),
    ...(results.replyTo !== undefined && { replyTo: results.replyTo }),
    connect: () => results.connect(),
    close: () => results.close(),
    [Symbol.asyncDispose]: () => results.close(),
    store: async (outcomes) => {
      const closed = await Promise.all(outcomes.map((outcome) => closeOutcome(outcome, protection)));
      const winners = await results.store(closed);
      // A forged one that stands already must not decide what becomes of the message.
      return Promise.all(
        winners.map(async (winner, index) => {
          const given = outcomes[index] as StoredOutcome;
          return winner === closed[index] ? given : ((await openTrusted(winner)) ?? given);
        }),
      );
    },
    get: async (ids) => Promise.all((await results.get(ids)).map(openTrusted)),
    wait: async (id, options) => {
      const stored = await results.wait(id, options);
      if (signatures !== undefined) verifyOutcome(stored, signatures);
      return openOutcome(stored, protection);
    },
    delete: (ids) => results.delete(ids),
  };
}

async function closeOutcome(outcome: StoredOutcome, { signatures, close }: ResultProtection): Promise<StoredOutcome> {
  const { result, ttl } = outcome;
  const closed = result === undefined ? outcome : { ...outcome, result: await close(result, placeOf(outcome), ttl) };
  return signatures === undefined ? closed : signOutcome(closed, signatures);
}

async function openOutcome(
  { signature: _, ...stored }: StoredOutcome,
  { open }: ResultProtection,
): Promise<StoredOutcome> {
  const { result } = stored;
  return result === undefined ? stored : { ...stored, result: await open(result, placeOf(stored)) };
}

/** A result lies in no queue: it is bound to its task and id. */
function placeOf({ id, task }: StoredOutcome): BodyPlace {
  return { domain: "result", id, task, queue: "" };
}
