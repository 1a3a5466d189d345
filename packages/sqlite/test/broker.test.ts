import { testBroker } from "@taskferry/testing";
import { createBroker } from "../src/broker.ts";
import { separateThreads } from "./harness.ts";

testBroker({
  name: "sqlite, a thread for each broker",
  create: (request) => ({ ...separateThreads(request, createBroker), crash: (broker) => broker.close() }),
});
