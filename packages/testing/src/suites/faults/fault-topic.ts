import type { Topic } from "../rulebook.ts";
import type { FaultNeed } from "./fault-needs.ts";
import type { FaultScene } from "./fault-scene.ts";

export type FaultTopic = Topic<FaultScene, FaultNeed>;
