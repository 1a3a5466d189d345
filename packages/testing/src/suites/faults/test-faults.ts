import type { SuitePart } from "../part-of-rules.ts";
import { registerRules, type Skip } from "../rulebook.ts";
import { type FaultOffer, type FaultSubject, lackOf } from "./fault-needs.ts";
import { shortScale, soakScale } from "./fault-scale.ts";
import { FaultScene } from "./fault-scene.ts";
import { faultTopics } from "./topics.ts";

export interface FaultSuiteOptions extends FaultSubject {
  /** Names what is tried in the report. */
  readonly name: string;
  /** What cannot be offered, with the reason. What lacks without a reason fails the tests that need it. */
  readonly cannot?: Readonly<Partial<Record<FaultOffer, string>>>;
  /** Tests not to run, with the reason. */
  readonly skip?: readonly Skip[];
  /** Which rules run here, where the suite is spread over several files: `{ number: 1, of: 2 }`. Default: all. */
  readonly part?: SuitePart;
  /**
   * `"short"` takes 2 to 5 minutes on two cores, `"soak"` longer: 5,000 tasks with workers killed every 3 seconds, a server
   * that is away for a minute; it prints its figures. Default: `"soak"` when the environment has `TASKFERRY_SOAK=1`.
   */
  readonly scale?: "short" | "soak";
}

/**
 * Runs whole systems, client, worker and handlers each in a process of its own, and lets processes, server and network
 * fail while they work. One vitest test for each rule; the verdict is that of the total queue: nothing that was
 * acknowledged is lost, nothing comes from nowhere, nothing is repeated without cause.
 */
export function testFaults(options: FaultSuiteOptions): void {
  const isSoak = options.scale === undefined ? process.env.TASKFERRY_SOAK === "1" : options.scale === "soak";
  const scale = isSoak ? soakScale : shortScale;
  registerRules({
    title: `faults ${options.name}`,
    topics: faultTopics,
    part: options.part,
    skip: options.skip ?? [],
    cannot: { ...options.cannot, ...(!isSoak && { soak: "it takes minutes, and runs with TASKFERRY_SOAK=1" }) },
    timeout: scale.timeout,
    open: () => FaultScene.open(options, scale),
    lacks: (scene, need) => (need === "soak" ? undefined : lackOf(scene.subject, scene.connections, need)),
  });
}
