import type { Broker, BrokerEvent } from "@taskferry/core";
import type { Interruption } from "../harness.ts";
import { interruption } from "../interruptions.ts";
import { within } from "../patience.ts";
import type { BrokerScene } from "./broker-scene.ts";

export function hear(broker: Broker, type: BrokerEvent["type"]): Promise<BrokerEvent> {
  return new Promise((resolve) => {
    const forget = broker.on((event) => {
      if (event.type !== type) return;
      forget();
      resolve(event);
    });
  });
}

/** Begins an outage and returns once the broker has noticed; it ends with the test at the latest. */
export async function beginOutage(scene: BrokerScene): Promise<Interruption> {
  const outage = interruption(scene, "outage");
  const noticed = hear(scene.broker, "disconnected");
  await outage.begin();
  await within(noticed, scene.timing.callTimeout, "the broker to tell `disconnected`");
  return outage;
}
