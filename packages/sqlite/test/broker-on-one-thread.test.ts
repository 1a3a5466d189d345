import { testBroker } from "@taskferry/testing";
import { sqlite } from "../src/sqlite.ts";
import { callTimeout, cannotWithSharedThread, sharedThread } from "./harness.ts";

testBroker({
  name: "sqlite, brokers on one thread",
  cannot: cannotWithSharedThread,
  create: () => ({
    ...sharedThread((path) => sqlite({ path, timeout: callTimeout })),
    crash: (broker) => broker.close(),
  }),
});
