import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as elapse } from "node:timers/promises";
import type { Delivery } from "@taskferry/core";
import { expect, test } from "vitest";
import { nats } from "../src/index.ts";
import { idsOf, messageOf, opened, patience, takeAll } from "./fixtures/values.ts";
import { privateNats } from "./harness.ts";

const server = privateNats();
const lease = 30_000;

/** What the server has written down of the messages that a consumer of its own holds, once it has. */
async function stateOfHeld(directory: string): Promise<{ readonly path: string; readonly bytes: Buffer }> {
  /** Bytes of a state in which nothing is held. */
  const empty = 16;
  for (const since = Date.now(); Date.now() - since < 2 * patience; await elapse(50)) {
    for (const name of await readdir(directory, { recursive: true })) {
      if (!name.endsWith(join("q=1", "o.dat"))) continue;
      const path = join(directory, name);
      const bytes = await readFile(path);
      if (bytes.length > empty) return { path, bytes };
    }
  }
  throw new Error("Expected the server to write down what its consumer holds.");
}

test("what is acknowledged and gone does not count as running, though the server forgot the acknowledgement", async () => {
  const { directory, url } = server.current();
  const broker = await opened(nats({ url }));
  const publish = (id: string) => broker.publish([{ message: messageOf(id, "q") }], { timeout: patience });
  const consumer = await broker.consume("q", { window: 10, lease });
  await publish("held");
  await publish("done");
  const [, done] = (await takeAll(consumer, 2)) as [Delivery, Delivery];
  const { path, bytes } = await stateOfHeld(directory);
  await publish("waiting");
  expect(await consumer.settle([{ kind: "ack", delivery: done }])).toEqual(["settled"]);
  await server.current().stop();
  await writeFile(path, bytes);
  await server.current().start();
  expect(await broker.admin?.depth("q")).toEqual({ ready: 1, delayed: 0, running: 1, dead: 0 });
  expect(idsOf(await takeAll(consumer, 1))).toEqual(["waiting"]);
  expect(await broker.admin?.depth("q")).toEqual({ ready: 0, delayed: 0, running: 2, dead: 0 });
}, 60_000);
