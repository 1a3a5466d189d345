import { testResultBackend } from "@taskferry/testing";
import { rabbitmqResults } from "../src/index.ts";
import { createRabbitmqHarness, privateRabbitmq } from "./harness.ts";

const server = privateRabbitmq();

testResultBackend({
  name: "rabbitmqResults",
  create: (request) => createRabbitmqHarness(server.current(), request, rabbitmqResults),
});
