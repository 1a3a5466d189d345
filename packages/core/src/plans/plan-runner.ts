import type { OutgoingMessage, PublishResult } from "../broker.ts";
import { cancellationKey, cancellationTtl, encodeRecord } from "../cancellation.ts";
import { recordError } from "../error-record.ts";
import { ConfigurationError, isTaskferryError } from "../errors.ts";
import { encodeReference, groupContentType } from "../group-results.ts";
import type { Message } from "../message.ts";
import type { StoredOutcome } from "../outcome.ts";
import { advance, type Effect, type Frame, memberFrames, type PlanNode, start } from "../plan.ts";
import type { ResultBackend } from "../result-backend.ts";
import type { StateStore } from "../state-store.ts";
import { GroupStore } from "./group-store.ts";
import { readPlan } from "./plan-header.ts";
import { type Origin, toMessage } from "./plan-message.ts";
import { type PlanItems, type RawValue, toRaw } from "./raw-value.ts";

export interface PlanParts {
  readonly results: ResultBackend;
  readonly state: StateStore | undefined;
  readonly publish: (outgoing: OutgoingMessage) => Promise<PublishResult>;
  /** The items of a value that is a list, one serialized value each. */
  readonly items: PlanItems;
}

/** What effects are carried out with. */
interface Scene extends Origin {
  /** What the next step gets. */
  readonly value: RawValue;
  /** What the failed task had got. */
  readonly input: RawValue;
  /** The outcome that is being advanced; `undefined` at the start. */
  readonly outcome: StoredOutcome | undefined;
  /** Whether this may have been done before: what has ended is not started again then. */
  readonly isRepeated: boolean;
}

/** Members that are published before it is noted how far it has come. */
const batch = 500;

/**
 * Starts what follows from outcomes. Everything it does has an id of its own, so that doing it again, after a crash at
 * any point, changes nothing.
 */
export class PlanRunner {
  readonly #parts: PlanParts;
  readonly #groups: GroupStore | undefined;

  constructor(parts: PlanParts) {
    this.#parts = parts;
    this.#groups = parts.state === undefined ? undefined : new GroupStore(parts.state);
  }

  /** Begins a node. */
  async start(
    node: PlanNode,
    id: string,
    { frames, ...scene }: Origin & { readonly value: RawValue; readonly frames: readonly Frame[] },
  ): Promise<void> {
    await this.#carryOut(start(node, id, frames), {
      ...scene,
      input: scene.value,
      outcome: undefined,
      isRepeated: false,
    });
  }

  /**
   * Does what follows from the outcome of a task. Answers whether a failure was made good by a fallback.
   *
   * @throws what the broker, the state store and the result backend throw: it is to be tried again.
   */
  async advance(message: Message, outcome: StoredOutcome, isRepeated: boolean): Promise<boolean> {
    if (message.plan === undefined) return false;
    const plan = readPlan(message.plan, this.#parts.state);
    const { frames, ttl } = plan instanceof Promise ? await plan : plan;
    const { run, traceparent, tracestate } = message;
    const effects = advance(frames, outcome.status === "succeeded");
    const scene = { ttl, run, value: toRaw(outcome.result), input: message, outcome, isRepeated };
    const isTraced = traceparent !== undefined || tracestate !== undefined;
    await this.#carryOut(effects, isTraced ? { ...scene, ...traceOf(message) } : scene);
    return effects.some(({ kind }) => kind === "rescue");
  }

  async #carryOut(effects: readonly Effect[], scene: Scene): Promise<void> {
    for (const effect of effects) await this.#do(effect, scene);
  }

  async #do(effect: Effect, scene: Scene): Promise<void> {
    switch (effect.kind) {
      case "record":
        if (scene.outcome !== undefined)
          await this.#parts.results.store([
            { ...scene.outcome, id: effect.id, ttl: Math.max(scene.ttl, scene.outcome.ttl) },
          ]);
        return;
      case "publish":
        return this.#publish(effect, scene);
      case "open":
        return this.#open(
          effect,
          effect.node.members.map((member) => ({ member, value: scene.value })),
          scene,
        );
      case "spread":
        return this.#spread(effect, scene);
      case "join":
        return this.#join(effect.frame, scene);
      case "fail":
        return this.#fail(effect.group, scene);
      case "rescue":
        return this.#carryOut(effect.effects, { ...scene, value: scene.input });
    }
  }

  async #publish(effect: Extract<Effect, { kind: "publish" }>, scene: Scene): Promise<void> {
    if (scene.isRepeated && (await this.#hasEnded(effect.id, scene.run))) return;
    const outgoing = toMessage(effect, scene, this.#parts.state);
    const result = await this.#parts.publish(outgoing instanceof Promise ? await outgoing : outgoing);
    if (result.status === "accepted" || result.status === "duplicate") return;
    if (result.error.retryable || result.status === "unknown") throw result.error;
    await this.#failStep(effect, result.error, scene);
  }

  /** What the broker refuses for good, such as a message that is too large, fails like a task. */
  async #failStep(
    { id, frames }: { readonly id: string; readonly frames: readonly Frame[] },
    error: Error,
    scene: Scene,
  ): Promise<void> {
    const outcome = outcomeOf(id, scene, { status: "failed", error: recordError(error) });
    await this.#parts.results.store([outcome]);
    await this.#carryOut(advance(frames, false), { ...scene, outcome });
  }

  async #spread(effect: Extract<Effect, { kind: "spread" }>, scene: Scene): Promise<void> {
    let values: readonly RawValue[];
    try {
      values = await this.#parts.items(scene.value);
    } catch (error) {
      if (!isTaskferryError(error) || error.retryable) throw error;
      return this.#failStep(effect, error, scene);
    }
    const { member } = effect.node;
    return this.#open(
      effect,
      values.map((value) => ({ member, value })),
      scene,
    );
  }

  async #open(
    { id, node: { onFailure }, frames }: Extract<Effect, { kind: "open" | "spread" }>,
    members: readonly { readonly member: PlanNode; readonly value: RawValue }[],
    scene: Scene,
  ): Promise<void> {
    const size = members.length;
    if (size === 0) return this.#complete(id, { size, onFailure, frames }, scene);
    const groups = this.#requireGroups();
    await groups.open(id, { frames, size, onFailure, ttl: scene.ttl });
    const isLarge = size > batch;
    for (let from = isLarge ? await groups.published(id) : 0; from < size; from += batch) {
      const slice = members.slice(from, from + batch);
      await Promise.all(
        slice.map(({ member, value }, offset) => {
          const index = from + offset;
          const memberId = `${id}:${index}`;
          const join = { kind: "join", group: id, index, size, onFailure } as const;
          return this.#carryOut(start(member, memberId, memberFrames(member, memberId, join)), { ...scene, value });
        }),
      );
      if (isLarge) await groups.notePublished(id, Math.min(size, from + batch), scene.ttl);
    }
  }

  async #join({ group, index, size }: Extract<Frame, { kind: "join" }>, scene: Scene): Promise<void> {
    const groups = this.#requireGroups();
    if (!(await groups.join(group, index, { size, ttl: scene.ttl }))) return;
    // Who came to this before may have been cut off: the last member's repetition goes on as if it were the first.
    await this.#complete(group, await groups.load(group), scene);
  }

  async #complete(
    group: string,
    {
      size,
      onFailure,
      frames,
    }: { readonly size: number; readonly onFailure: "fail" | "collect"; readonly frames: readonly Frame[] },
    scene: Scene,
  ): Promise<void> {
    const value = { contentType: groupContentType, body: encodeReference({ group, size, onFailure }) };
    const outcome = outcomeOf(group, scene, { status: "succeeded", result: value });
    await this.#carryOut(advance(frames, true), { ...scene, value, outcome });
  }

  async #fail(group: string, scene: Scene): Promise<void> {
    const groups = this.#requireGroups();
    const reason = `a member of the group ${group} ${scene.outcome?.status === "cancelled" ? "was cancelled" : "failed"}`;
    const record = { run: scene.run, reason, mode: "graceful", at: Date.now() } as const;
    await this.#parts.state?.put([
      { key: cancellationKey(group), value: encodeRecord(record), ttl: Math.min(scene.ttl, cancellationTtl) },
    ]);
    const { frames } = await groups.load(group);
    await this.#carryOut(advance(frames, false), scene);
  }

  async #hasEnded(id: string, run: number): Promise<boolean> {
    const [outcome] = await this.#parts.results.get([id]);
    return outcome !== undefined && outcome.run >= run;
  }

  #requireGroups(): GroupStore {
    if (this.#groups !== undefined) return this.#groups;
    throw new ConfigurationError(
      "STATE_REQUIRED",
      "Groups need a state store. Set `state`, or a broker or result backend that offers one.",
    );
  }
}

function traceOf({ traceparent, tracestate }: Message): Pick<Origin, "traceparent" | "tracestate"> {
  return { ...(traceparent !== undefined && { traceparent }), ...(tracestate !== undefined && { tracestate }) };
}

/** The outcome of something that is no task: a group, or a step that could not be published. */
function outcomeOf(
  id: string,
  { run, ttl, outcome }: Scene,
  part: Pick<StoredOutcome, "status" | "result" | "error">,
): StoredOutcome {
  const now = Date.now();
  return {
    id,
    run,
    task: outcome?.task ?? "",
    attempt: 0,
    enqueuedAt: outcome?.enqueuedAt ?? now,
    finishedAt: now,
    worker: outcome?.worker ?? "",
    ttl,
    ...part,
  };
}
