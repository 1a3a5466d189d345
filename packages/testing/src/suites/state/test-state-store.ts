import type { StateStore } from "@taskferry/core";
import { expect } from "vitest";
import { lifecycleRules } from "../connectable.ts";
import { type Fault, type HarnessRequest, requestFor } from "../harness.ts";
import { registerRules, type Skip } from "../rulebook.ts";
import { conditionsTopic } from "./conditions.ts";
import { countersTopic } from "./counters.ts";
import { entriesTopic, expiryTopic } from "./entries.ts";
import { stateFreezeTopic, stateLostReplyTopic, stateOutageTopic, stateRestartTopic } from "./faults.ts";
import { keysTopic, listTopic } from "./keys.ts";
import { setsTopic } from "./sets.ts";
import { lackOfState, type StateHarness, StateScene, type StateTiming, type StateTopic } from "./state-scene.ts";
import { watchTopic } from "./watch.ts";

export interface StateStoreSuiteOptions {
  /** Names the implementation in the report. */
  readonly name: string;
  /** Makes a state store of its own for one test, with nothing in it. */
  readonly create: (request: HarnessRequest) => StateHarness | Promise<StateHarness>;
  /** Tests not to run, with the reason. */
  readonly skip?: readonly Skip[];
  /** What the harness cannot do, with the reason. What it lacks without a reason fails the tests that need it. */
  readonly cannot?: Readonly<Partial<Record<Fault, string>>>;
  readonly timing?: Partial<StateTiming>;
  /** Milliseconds for one test. Default 60,000. */
  readonly timeout?: number;
}

/** Holds a state store to the contract of `StateStore`: one vitest test for each rule. */
export function testStateStore(options: StateStoreSuiteOptions): void {
  const timing = { ttl: 300, slack: 5_000, callTimeout: 15_000, ...options.timing };
  registerRules({
    title: `state store ${options.name}`,
    topics: stateTopics(),
    skip: options.skip ?? [],
    cannot: options.cannot ?? {},
    timeout: options.timeout ?? 60_000,
    open: async (needs) => {
      const harness = await options.create(requestFor(needs));
      const scene = new StateScene(harness, await harness.connect(), timing);
      await scene.store.connect();
      return scene;
    },
    lacks: lackOfState,
  });
}

function stateTopics(): readonly StateTopic[] {
  return [
    {
      name: "lifecycle",
      rules: [
        ...lifecycleRules<StateStore, StateScene>(),
        { name: "this is version 1 of the contract, with a short name", check: describesItself },
      ],
    },
    entriesTopic,
    expiryTopic,
    conditionsTopic,
    keysTopic,
    listTopic,
    watchTopic,
    countersTopic,
    setsTopic,
    stateOutageTopic,
    stateFreezeTopic,
    stateRestartTopic,
    stateLostReplyTopic,
  ];
}

async function describesItself(scene: StateScene): Promise<void> {
  expect(scene.store.contract).toBe(1);
  expect(scene.store.name).toMatch(/^[a-z0-9][a-z0-9-]{0,39}$/);
}
