import { startNats, testFaults } from "@taskferry/testing";
import { configure } from "./fixtures/faults-configuration.js";
import { brokerMarks, cutReplyTo, insertRaw } from "./harness.ts";

testFaults({
  name: "nats",
  configure,
  module: new URL("./fixtures/faults-configuration.js", import.meta.url),
  startServer: () => startNats(),
  insertRaw: ({ url = "" }, queue, bytes) => insertRaw(url, queue, bytes),
  cutNextReply: (proxy, operation) => cutReplyTo(proxy, brokerMarks[operation]),
});
