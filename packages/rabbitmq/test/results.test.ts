import { testResultBackend } from "@taskferry/testing";
import { rabbitmqResults } from "../src/index.ts";
import { createRabbitmqHarness, impatient, privateRabbitmq } from "./harness.ts";

const server = privateRabbitmq();

testResultBackend({
  name: "rabbitmqResults",
  create: () => createRabbitmqHarness(server.current(), (place) => rabbitmqResults({ ...place, ...impatient })),
});
