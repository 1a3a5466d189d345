import { testBroker } from "@taskferry/testing";
import { natsCore, natsFanout } from "../src/index.ts";
import { createNatsHarness, privateNats } from "./harness.ts";

const server = privateNats();
const keepsNothing = { insertRaw: "it keeps nothing", cutNextReply: "it keeps nothing" };

for (const [name, make] of Object.entries({ natsCore, natsFanout })) {
  testBroker({
    name,
    create: (request) => createNatsHarness(server.current(), request, { make, marks: {} }),
    cannot: keepsNothing,
  });
}
