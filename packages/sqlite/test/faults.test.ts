import { testFaults } from "@taskferry/testing";
import { configure, fileIn } from "./fixtures/faults-configuration.js";
import { insertInto } from "./harness.ts";

const noServer = "the processes share a file, there is no server";

testFaults({
  name: "sqlite",
  configure,
  module: new URL("./fixtures/faults-configuration.js", import.meta.url),
  insertRaw: (place, queue, bytes) => insertInto(fileIn(place))(queue, bytes),
  cannot: { server: noServer, cutNextReply: noServer },
});
