import { testResultBackend } from "@taskferry/testing";
import { natsResults } from "../src/index.ts";
import { createNatsHarness, privateNats, stored } from "./harness.ts";

const server = privateNats();

testResultBackend({
  name: "natsResults",
  create: () =>
    createNatsHarness(server.current(), {
      make: (url) => natsResults({ url, commandTimeout: "1s" }),
      marks: {
        store: { request: ["PUB $KV.taskferry_results."], reply: stored },
        get: { request: ["DIRECT.GET."], reply: stored },
        delete: { request: ["STREAM.MSG.DELETE."], reply: stored },
      },
    }),
});
