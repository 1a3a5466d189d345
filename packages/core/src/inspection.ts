import type { Broker, QueueSection } from "./broker.ts";

/** The sections in which a task is under way. */
export const openSections = ["ready", "delayed", "running"] as const;

/** Whether a broker can be looked into for that. */
export function canInspect({ admin, capabilities }: Broker, what: QueueSection | "queues"): boolean {
  return admin !== undefined && (capabilities.inspects?.includes(what) ?? true);
}
