import type { ResultBackend } from "@taskferry/core";
import { expect } from "vitest";
import { lifecycleRules } from "../connectable.ts";
import { type Fault, type HarnessRequest, requestFor } from "../harness.ts";
import { registerRules, type Skip } from "../rulebook.ts";
import { resultFreezeTopic, resultLostReplyTopic, resultOutageTopic, resultRestartTopic } from "./faults.ts";
import { ownTasksTopic } from "./own-tasks.ts";
import { deleteTopic, getTopic, ttlTopic } from "./read.ts";
import { lackOfResults, type ResultHarness, ResultScene, type ResultTiming, type ResultTopic } from "./result-scene.ts";
import { sentTopic } from "./sent.ts";
import { storeTopic } from "./store.ts";
import { waitTopic } from "./wait.ts";

export interface ResultBackendSuiteOptions {
  /** Names the implementation in the report. */
  readonly name: string;
  /** Makes a result backend of its own for one test, with nothing stored. */
  readonly create: (request: HarnessRequest) => ResultHarness | Promise<ResultHarness>;
  /** Tests not to run, with the reason. */
  readonly skip?: readonly Skip[];
  /** What the harness cannot do, with the reason. What it lacks without a reason fails the tests that need it. */
  readonly cannot?: Readonly<Partial<Record<Fault, string>>>;
  readonly timing?: Partial<ResultTiming>;
  /** Milliseconds for one test. Default 60,000. */
  readonly timeout?: number;
}

/** Holds a result backend to the contract of `ResultBackend`: one vitest test for each rule. */
export function testResultBackend(options: ResultBackendSuiteOptions): void {
  const timing = { ttl: 300, slack: 5_000, callTimeout: 15_000, ...options.timing };
  registerRules({
    title: `result backend ${options.name}`,
    topics: resultTopics(),
    skip: options.skip ?? [],
    cannot: options.cannot ?? {},
    timeout: options.timeout ?? 60_000,
    open: async (needs) => {
      const harness = await options.create(requestFor(needs));
      const scene = new ResultScene(harness, await harness.connect(), timing);
      await scene.backend.connect();
      return scene;
    },
    lacks: lackOfResults,
  });
}

function resultTopics(): readonly ResultTopic[] {
  return [
    {
      name: "lifecycle",
      rules: [
        ...lifecycleRules<ResultBackend, ResultScene>(),
        { name: "this is version 1 of the contract, with a short name and plain capabilities", check: describesItself },
        { name: "the state store it offers works, and is closed by itself", check: stateWorks },
      ],
    },
    storeTopic,
    getTopic,
    ttlTopic,
    waitTopic,
    ownTasksTopic,
    sentTopic,
    deleteTopic,
    resultOutageTopic,
    resultFreezeTopic,
    resultRestartTopic,
    resultLostReplyTopic,
  ];
}

async function describesItself(scene: ResultScene): Promise<void> {
  const { name, contract, capabilities } = scene.backend;
  expect(contract).toBe(1);
  expect(name).toMatch(/^[a-z0-9][a-z0-9-]{0,39}$/);
  expect(structuredClone(capabilities)).toEqual(capabilities);
  expect([typeof capabilities.durable, typeof capabilities.shared]).toEqual(["boolean", "boolean"]);
  expect(capabilities.maxOutcomeBytes).toBeTypeOf("number");
  if (capabilities.kept === false)
    expect(scene.backend.replyTo, "an address for what is not kept").toBeTypeOf("string");
}

async function stateWorks(scene: ResultScene): Promise<void> {
  const offer = scene.backend.state;
  if (offer === undefined) return;
  const [first, second] = [offer(), offer()];
  for (const state of [first, second]) {
    await state.connect();
    scene.defer(() => state.close());
  }
  const key = [scene.newId()];
  await first.put([{ key, value: Buffer.from("kept") }]);
  await first.close();
  const [entry] = await second.get([key]);
  expect(Buffer.from(entry?.value ?? []).toString()).toBe("kept");
}
