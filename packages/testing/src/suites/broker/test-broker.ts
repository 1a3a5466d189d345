import { type HarnessRequest, requestFor } from "../harness.ts";
import { registerRules, type Skip } from "../rulebook.ts";
import { type BrokerFault, type BrokerHarness, lackOf } from "./broker-harness.ts";
import { BrokerScene, type BrokerTiming } from "./broker-scene.ts";
import { brokerTopics } from "./topics.ts";

export interface BrokerSuiteOptions {
  /** Names the implementation in the report. */
  readonly name: string;
  /** Makes a queue system of its own for one test. */
  readonly create: (request: HarnessRequest) => BrokerHarness | Promise<BrokerHarness>;
  /** Tests not to run, with the reason. */
  readonly skip?: readonly Skip[];
  /** What the harness cannot do, with the reason. What it lacks without a reason fails the tests that need it. */
  readonly cannot?: Readonly<Partial<Record<BrokerFault, string>>>;
  readonly timing?: Partial<BrokerTiming>;
  /** Milliseconds for one test. Default 60,000. */
  readonly timeout?: number;
}

/**
 * Holds a broker to the contract of `Broker`: one vitest test for each rule. What the broker's capabilities call native
 * or emulated must work; what they refuse must be refused.
 */
export function testBroker(options: BrokerSuiteOptions): void {
  const timing = { lease: 300, slack: 5_000, callTimeout: 15_000, quiet: 120, ...options.timing };
  registerRules({
    title: `broker ${options.name}`,
    topics: brokerTopics,
    skip: options.skip ?? [],
    cannot: options.cannot ?? {},
    timeout: options.timeout ?? 60_000,
    open: async (needs) => {
      const harness = await options.create(requestFor(needs));
      const scene = new BrokerScene(harness, await harness.connect(), timing);
      await scene.broker.connect();
      return scene;
    },
    lacks: (scene, need) => lackOf(scene.harness, scene.broker, need),
  });
}
