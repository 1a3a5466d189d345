import { testBroker } from "../src/index.ts";
import { type Channel, fanOutBroker } from "./fixtures/fan-out-broker.ts";

// What a broker refuses must be refused: the suite is as strict with a broker that can do next to nothing.
testBroker({
  name: "that refuses all it can refuse",
  create: () => {
    const channel: Channel = new Map();
    return { connect: () => fanOutBroker(channel), dispose: async () => undefined };
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
