import { startRedis, testFaults } from "@taskferry/testing";
import { acknowledge } from "../src/list/scripts/acknowledge.ts";
import { publish } from "../src/list/scripts/publish.ts";
import { settle } from "../src/list/scripts/settle.ts";
import { take } from "../src/list/scripts/take.ts";
import { configure } from "./fixtures/faults-configuration.ts";
import { cutReplyTo, insertRaw } from "./harness.ts";

const scripts = { publish: [publish], take: [take], settle: [acknowledge, settle] };

testFaults({
  name: "redisList",
  configure,
  module: new URL("./fixtures/faults-configuration.ts", import.meta.url),
  startServer: () => startRedis({ appendOnly: "always" }),
  insertRaw: ({ url = "" }, queue, bytes) => insertRaw(url, queue, bytes),
  cutNextReply: (proxy, operation) => cutReplyTo(proxy, scripts[operation]),
});
