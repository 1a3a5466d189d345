import { testStateStore } from "@taskferry/testing";
import { natsState } from "../src/index.ts";
import { createNatsHarness, privateNats, stored } from "./harness.ts";

const server = privateNats();
const written = { request: ["PUB $KV.taskferry_state."], reply: stored };

testStateStore({
  name: "natsState",
  create: () =>
    createNatsHarness(server.current(), {
      make: (url) => natsState({ url, commandTimeout: "1s" }),
      marks: { put: written, delete: written, increment: written, add: written, remove: written },
    }),
});
