import { testBroker } from "@taskferry/testing";
import { createBrokerHarness, privateNats } from "./harness.ts";
import skips from "./skip.json" with { type: "json" };

const server = privateNats();

testBroker({ name: "nats", create: (request) => createBrokerHarness(server.current(), request), skip: skips });
