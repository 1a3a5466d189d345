import type { Settlement } from "@taskferry/core";
import { packItems } from "./pack-items.ts";
import type { LeaseReference, PublishItem, SettleItem } from "./protocol.ts";
import { toPublishItem } from "./publish-item.ts";

/** Settlements as they go to the thread, and the buffer that goes with them. */
export function packSettlements(settlements: readonly Settlement[]): {
  readonly items: readonly SettleItem[];
  readonly buffer: ArrayBuffer;
} {
  const retries = settlements.filter((settlement) => settlement.kind === "retry");
  const { packed, buffer } = packItems(retries.map(({ next, delay }) => toPublishItem({ message: next, delay })));
  const nextOf = new Map<Settlement, PublishItem | undefined>(
    retries.map((settlement, index) => [settlement, packed[index]]),
  );
  return { items: settlements.map((settlement) => toItem(settlement, nextOf.get(settlement))), buffer };
}

function toItem(settlement: Settlement, next: PublishItem | undefined): SettleItem {
  const { sequence, owner } = settlement.delivery.token as LeaseReference;
  switch (settlement.kind) {
    case "ack":
    case "release":
      return { sequence, owner, kind: settlement.kind };
    case "retry":
      return { sequence, owner, kind: "retry", next: next ?? toPublishItem({ message: settlement.next }) };
    case "reject": {
      const { message, malformed } = settlement.delivery;
      const { code, message: text, at } = settlement.reason;
      const id = message?.id ?? malformed?.id;
      return { sequence, owner, kind: "reject", id, reason: { code, message: text, at: Math.round(at) } };
    }
  }
}
