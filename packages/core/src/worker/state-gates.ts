import type { Connections } from "../connections.ts";
import { canInspect } from "../inspection.ts";
import { Cancellations } from "./cancellations.ts";
import { type FireParts, Fires } from "./fires.ts";
import type { Gate } from "./gate.ts";

/** The gates that every task passes where there is a state store: without one nothing can be cancelled, nor agreed on. */
export function openStateGates(
  { state, broker }: Pick<Connections, "state" | "broker">,
  parts: Omit<FireParts, "state">,
): { readonly gates: readonly Gate[]; readonly stop: () => Promise<void> } {
  if (state === undefined) return { gates: [], stop: async () => undefined };
  const cancellations = new Cancellations({ ...parts, state, isAskedEachTime: !canTakeBack(broker) });
  const fires = new Fires({ ...parts, state });
  return {
    gates: [cancellations, fires],
    stop: async () => void (await Promise.all([cancellations.stop(), fires.stop()])),
  };
}

/** A broker that looks into dead letters alone cannot take back what waits. */
function canTakeBack(broker: Connections["broker"]): boolean {
  return canInspect(broker, "ready") && canInspect(broker, "delayed");
}
