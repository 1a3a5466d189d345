import type { BrokerEvent } from "@taskferry/core";
import { expect } from "vitest";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";

export const eventsTopic: BrokerTopic = {
  name: "events",
  rules: [
    { name: "connected is told once the broker is open", check: tellsConnected },
    { name: "a listener that throws harms nothing", check: throwingIsHarmless },
    { name: "a listener that was taken off hears nothing, also when taken off twice", check: unsubscribes },
  ],
};

async function tellsConnected(scene: BrokerScene): Promise<void> {
  const broker = await scene.fresh();
  const heard: BrokerEvent["type"][] = [];
  broker.on((event) => heard.push(event.type));
  await broker.connect();
  expect(heard.filter((type) => type === "connected" || type === "disconnected")).toEqual(["connected"]);
  await broker.close();
}

async function throwingIsHarmless(scene: BrokerScene): Promise<void> {
  const broker = await scene.fresh();
  const heard: BrokerEvent["type"][] = [];
  broker.on(() => {
    throw new Error("thrown by a listener on purpose");
  });
  broker.on((event) => heard.push(event.type));
  await broker.connect();
  expect(heard).toContain("connected");
  await scene.someoneListens(broker);
  const [result] = await scene.offer([scene.message()], broker);
  expect(result?.status).toBe("accepted");
  await broker.close();
}

async function unsubscribes(scene: BrokerScene): Promise<void> {
  const broker = await scene.fresh();
  const heard: BrokerEvent[] = [];
  const listener = (event: BrokerEvent) => heard.push(event);
  const forget = broker.on(listener);
  forget();
  forget();
  await broker.connect();
  await broker.close();
  expect(heard).toEqual([]);
}
