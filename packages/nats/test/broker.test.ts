import { testBroker } from "@taskferry/testing";
import { nats } from "../src/index.ts";
import { brokerMarks, createNatsHarness, insertRaw, privateNats } from "./harness.ts";

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
  skip: [
    {
      reason: "JetStream keeps the ids of messages that are gone in memory: a restart of the server forgets them",
      tests: ["restart › what was seen is still known"],
    },
  ],
});
