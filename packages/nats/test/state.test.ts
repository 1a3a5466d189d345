import { testStateStore } from "@taskferry/testing";
import { createStateHarness, privateNats } from "./harness.ts";

const server = privateNats();

testStateStore({ name: "natsState", create: (request) => createStateHarness(server.current(), request) });
