import { testBroker } from "@taskferry/testing";
import { rabbitmqFanout } from "../src/index.ts";
import { createRabbitmqHarness, privateRabbitmq } from "./harness.ts";

const server = privateRabbitmq();

testBroker({
  name: "rabbitmqFanout",
  create: (request) => createRabbitmqHarness(server.current(), request, rabbitmqFanout),
  cannot: { insertRaw: "it keeps nothing" },
});
