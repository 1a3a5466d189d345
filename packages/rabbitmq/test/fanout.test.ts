import { testBroker } from "@taskferry/testing";
import { rabbitmqFanout } from "../src/index.ts";
import { createRabbitmqHarness, impatient, privateRabbitmq } from "./harness.ts";

const server = privateRabbitmq();

testBroker({
  name: "rabbitmqFanout",
  create: () => createRabbitmqHarness(server.current(), (place) => rabbitmqFanout({ ...place, ...impatient })),
  cannot: { insertRaw: "it keeps nothing" },
});
