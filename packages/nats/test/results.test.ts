import { testResultBackend } from "@taskferry/testing";
import { natsResults } from "../src/index.ts";
import { createNatsHarness, privateNats, stored } from "./harness.ts";

const server = privateNats();

testResultBackend({
  name: "natsResults",
  create: (request) =>
    createNatsHarness(server.current(), request, {
      make: natsResults,
      marks: {
        store: { request: ["PUB $KV.taskferry_results."], reply: stored },
        get: { request: ["DIRECT.GET."], reply: stored },
        delete: { request: ["STREAM.MSG.DELETE."], reply: stored },
      },
    }),
});
