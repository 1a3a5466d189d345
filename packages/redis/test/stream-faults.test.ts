import { startRedis, testFaults } from "@taskferry/testing";
import { streamScripts } from "../src/stream/broker.ts";
import { configure } from "./fixtures/stream-faults-configuration.js";
import { cutReplyTo, insertRawEntry, operationsOf } from "./harness.ts";

const scripts = operationsOf(streamScripts);

testFaults({
  name: "redisStream",
  configure,
  module: new URL("./fixtures/stream-faults-configuration.js", import.meta.url),
  startServer: () => startRedis({ appendOnly: "always" }),
  insertRaw: ({ url = "" }, queue, bytes) => insertRawEntry(url, queue, bytes),
  cutNextReply: (proxy, operation) => cutReplyTo(proxy, scripts[operation]),
});
