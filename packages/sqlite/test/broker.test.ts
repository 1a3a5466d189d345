import { testBroker } from "@taskferry/testing";
import { createBroker } from "../src/broker.ts";
import { separateThreads } from "./harness.ts";

testBroker({
  name: "sqlite, a thread for each broker",
  create: () => ({ ...separateThreads(createBroker), crash: (broker) => broker.close() }),
});
