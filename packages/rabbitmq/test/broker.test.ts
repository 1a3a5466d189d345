import { testBroker } from "@taskferry/testing";
import { rabbitmq } from "../src/index.ts";
import { createRabbitmqHarness, insertRaw, privateRabbitmq } from "./harness.ts";

const server = privateRabbitmq();

testBroker({
  name: "rabbitmq",
  create: async (request) => {
    const harness = await createRabbitmqHarness(server.current(), request, rabbitmq);
    return {
      ...harness,
      insertRaw: async (queue, bytes) => {
        const place = { url: server.current().url, namespace: harness.namespace };
        // The queue is there as soon as somebody takes from it.
        const broker = rabbitmq(place);
        await broker.connect();
        await (await broker.consume(queue, { window: 1, lease: 60_000 })).close();
        await broker.close();
        await insertRaw(place, queue, bytes);
      },
    };
  },
  timeout: 90_000,
});
