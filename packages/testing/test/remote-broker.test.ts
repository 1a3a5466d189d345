import { memory } from "@taskferry/core";
import { testBroker } from "../src/index.ts";
import { Link } from "./fixtures/planted/link.ts";
import { remoteBroker } from "./fixtures/planted/remote-broker.ts";

testBroker({
  name: "memory at the other end of a link",
  create: async () => {
    const link = new Link();
    const server = memory();
    await server.connect();
    return {
      connect: () => remoteBroker(server, link),
      dispose: () => server.close(),
      restart: link.restart,
      outage: link.outage,
      freeze: link.freeze,
      cutNextReply: link.cutNextReply,
      insertRaw: async (queue, bytes) => server.insertRaw(queue, bytes),
    };
  },
  cannot: { crash: "one process holds it all" },
  timing: { callTimeout: 3_000 },
});
