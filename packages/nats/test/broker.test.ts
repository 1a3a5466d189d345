import { testBroker } from "@taskferry/testing";
import { createBrokerHarness, privateNats } from "./harness.ts";
import skips from "./skip.json" with { type: "json" };

const server = privateNats();

testBroker({ name: "nats", create: () => createBrokerHarness(server.current()), skip: skips });
