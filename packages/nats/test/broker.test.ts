import { testBroker } from "@taskferry/testing";
import { nats } from "../src/index.ts";
import { brokerMarks, createNatsHarness, insertRaw, privateNats } from "./harness.ts";
import skips from "./skip.json" with { type: "json" };

const server = privateNats();

testBroker({
  name: "nats",
  create: async () => {
    const harness = await createNatsHarness(server.current(), {
      make: (url) => nats({ url, commandTimeout: "1s" }),
      marks: brokerMarks,
    });
    return { ...harness, insertRaw: (queue, bytes) => insertRaw(server.current().url, queue, bytes) };
  },
  skip: skips,
});
