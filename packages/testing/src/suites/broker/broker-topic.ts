import type { Topic } from "../rulebook.ts";
import type { BrokerNeed } from "./broker-harness.ts";
import type { BrokerScene } from "./broker-scene.ts";

export type BrokerTopic = Topic<BrokerScene, BrokerNeed>;
