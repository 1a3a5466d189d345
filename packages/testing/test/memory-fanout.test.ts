import { memoryFanout } from "@taskferry/core";
import { testBroker } from "../src/index.ts";

// What a broker refuses must be refused: the suite is as strict with a broker that can do next to nothing.
testBroker({
  name: "memoryFanout",
  create: () => {
    const broker = memoryFanout();
    return { connect: () => broker, dispose: async () => undefined };
  },
  cannot: {
    restart: "it keeps nothing",
    outage: "there is no connection",
    freeze: "there is no connection",
    cutNextReply: "there is no connection",
    insertRaw: "it keeps nothing",
    crash: "there is nothing to come back",
  },
});
