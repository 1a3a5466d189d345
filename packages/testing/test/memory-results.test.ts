import { memoryResults } from "@taskferry/core";
import { testResultBackend } from "../src/index.ts";

testResultBackend({
  name: "memory",
  create: () => {
    const backend = memoryResults();
    return { connect: () => backend, dispose: async () => undefined };
  },
  cannot: {
    restart: "the outcomes end with the process",
    outage: "there is no server to lose",
    freeze: "there is no connection",
    cutNextReply: "there is no connection",
  },
});
