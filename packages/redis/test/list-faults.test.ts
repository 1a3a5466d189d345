import { startRedis, testFaults } from "@taskferry/testing";
import { listScripts } from "../src/list/broker.ts";
import { configure } from "./fixtures/list-faults-configuration.js";
import { cutReplyTo, insertRaw, operationsOf } from "./harness.ts";

const scripts = operationsOf(listScripts);

testFaults({
  name: "redisList",
  configure,
  module: new URL("./fixtures/list-faults-configuration.js", import.meta.url),
  startServer: () => startRedis({ appendOnly: "always" }),
  insertRaw: ({ url = "" }, queue, bytes) => insertRaw(url, queue, bytes),
  cutNextReply: (proxy, operation) => cutReplyTo(proxy, scripts[operation]),
});
