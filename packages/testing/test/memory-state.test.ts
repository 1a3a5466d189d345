import { memoryState } from "@taskferry/core";
import { testStateStore } from "../src/index.ts";

testStateStore({
  name: "memory",
  create: () => {
    const store = memoryState();
    return { connect: () => store, dispose: async () => undefined };
  },
  cannot: {
    restart: "the state ends with the process",
    outage: "there is no server to lose",
    freeze: "there is no connection",
    cutNextReply: "there is no connection",
  },
});
