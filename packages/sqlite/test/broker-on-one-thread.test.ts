import { testBroker } from "@taskferry/testing";
import { sqlite } from "../src/sqlite.ts";
import { cannotWithSharedThread, sharedThread } from "./harness.ts";

testBroker({
  name: "sqlite, brokers on one thread",
  cannot: cannotWithSharedThread,
  create: (request) => ({
    ...sharedThread(request, sqlite),
    crash: (broker) => broker.close(),
  }),
});
