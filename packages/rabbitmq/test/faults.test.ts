import { setTimeout as wait } from "node:timers/promises";
import { type PrivateServer, type RabbitmqServer, testFaults } from "@taskferry/testing";
import { rabbitmq } from "../src/index.ts";
import { configure } from "./fixtures/faults-configuration.ts";
import { cutReplyTo, insertRaw, privateRabbitmq, registration } from "./harness.ts";

const shared = privateRabbitmq();
let places = 0;

testFaults({
  name: "rabbitmq",
  configure,
  module: new URL("./fixtures/faults-configuration.ts", import.meta.url),
  startServer: () => placeOn(shared.current()),
  insertRaw: ({ url = "" }, queue, bytes) => insertRaw({ url, namespace: "taskferry" }, queue, bytes),
  cutNextReply: (proxy, operation) => cutReplyTo(proxy, operation),
  skip: [
    {
      reason: "RabbitMQ 3.10 counts as delivered what is on its way to a subscription that ends",
      tests: [
        "shutdown › what a worker hands back as it stops is not counted as delivered",
        "lease › what waits behind a task that takes several leases is delivered once",
      ],
    },
  ],
});

/** A virtual host of its own on the server that all tests share: one takes much longer to start than most tests. */
async function placeOn(server: RabbitmqServer): Promise<PrivateServer> {
  places += 1;
  const name = `place-${places}`;
  await server.control("add_vhost", name);
  await server.control("set_permissions", "-p", name, "guest", ".*", ".*", ".*");
  const { host, port, directory } = server;
  const url = `${server.url}/${name}`;
  await declareBeforehand(url);
  return {
    name: server.name,
    host,
    port,
    directory,
    url,
    get pid() {
      return server.pid;
    },
    start: () => server.start(),
    restart: () => server.restart(),
    kill: () => server.kill(),
    stop: () => server.stop(),
    pause: () => server.pause(),
    resume: () => server.resume(),
    logs: () => server.logs(),
    [Symbol.asyncDispose]: async () => {
      if (server.pid === undefined) await server.start();
    },
  };
}

/** Old enough, when the server is killed, to come back with what they hold. */
async function declareBeforehand(url: string): Promise<void> {
  const broker = rabbitmq({ url });
  await broker.connect();
  await (await broker.consume("faults", { window: 1, lease: 1_000 })).close();
  await broker.close();
  await wait(registration);
}
