import type { Broker, OutgoingMessage, PublishResult } from "../broker.ts";
import { createGroupReader } from "../group-results.ts";
import { PlanRunner } from "../plans/plan-runner.ts";
import { createPlanItems } from "../plans/raw-value.ts";
import type { Protection } from "../protection/protection.ts";
import type { ResultBackend } from "../result-backend.ts";
import type { SerializerSet } from "../serializer-set.ts";
import type { StateStore } from "../state-store.ts";
import { createCanceller } from "./canceller.ts";
import type { HandleReaders } from "./handle.ts";
import { createOutcomeReader } from "./outcome-reader.ts";
import { createProgressReader } from "./progress-reader.ts";
import { withStages } from "./stage-reader.ts";
import { createWorkflows, type Workflows } from "./workflows.ts";

export interface ReaderParts {
  readonly broker: Broker;
  readonly results: ResultBackend;
  readonly state: StateStore | undefined;
  readonly serializers: SerializerSet;
  readonly publish: (outgoing: OutgoingMessage) => Promise<PublishResult>;
  readonly protection: Protection;
  readonly maxBodyBytes: number;
}

/** What handles of tasks and workflows ask. */
export function openReaders(
  parts: ReaderParts,
): HandleReaders & { readonly tracked: HandleReaders; readonly workflows: Workflows } {
  const { broker, results, state, serializers, protection, publish } = parts;
  const groups = createGroupReader(results, serializers);
  const runner = new PlanRunner({ results, state, publish, items: createPlanItems(groups, serializers) });
  const outcomes = createOutcomeReader({ results, broker, groups });
  const readers: HandleReaders = {
    outcomes,
    progress: createProgressReader(state, results),
    canceller: createCanceller({
      broker,
      results,
      state,
      check: () => protection.checkControl(true),
      advance: async (message, outcome) => {
        if (message.plan === undefined || !protection.isAuthentic(message)) return;
        const { contentType, body } = await protection.openInput(message, message.queue);
        await runner.advance({ ...message, contentType, body }, outcome, false);
      },
    }),
  };
  return {
    ...readers,
    /** Those of tasks that are tracked. */
    tracked: state === undefined ? readers : { ...readers, outcomes: withStages(outcomes, state) },
    workflows: createWorkflows({ ...parts, outcomes, runner }),
  };
}
