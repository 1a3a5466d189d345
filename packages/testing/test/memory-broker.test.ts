import { memory } from "@taskferry/core";
import { testBroker } from "../src/index.ts";

testBroker({
  name: "memory",
  create: () => {
    const broker = memory();
    return {
      connect: () => broker,
      dispose: async () => undefined,
      insertRaw: async (queue, bytes) => broker.insertRaw(queue, bytes),
    };
  },
  cannot: {
    restart: "the messages end with the process",
    outage: "there is no server to lose",
    freeze: "there is no connection",
    cutNextReply: "there is no connection",
    crash: "one process holds it all",
  },
});
