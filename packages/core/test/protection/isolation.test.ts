import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { aesKey, chain, claimCheck, createClient, encryption, map } from "../../src/index.ts";
import * as tasks from "./fixtures/tasks.ts";
import { inject, oneSecret, scene } from "./setup.ts";

const handlers = [new URL("./fixtures/handlers.ts", import.meta.url)];
const isolation = { threads: 2, processes: 1 };
const protection = {
  signatures: oneSecret(),
  encryption: encryption({ keys: [aesKey("e", randomBytes(32))] }),
  claimCheck: claimCheck({ above: 1_000 }),
  maxBodyBytes: 10_000,
};
const long = "x".repeat(200_000);

/** Holds no key where handlers run: what goes there was checked and opened, what comes from there is closed in the worker. */
describe.each([
  ["", {}],
  [
    ", and middlewares",
    { middlewares: [{ name: "empty", execute: (_: unknown, next: () => Promise<unknown>) => next() }] },
  ],
])("with handlers in threads and processes%s", (_, options) => {
  test.each([tasks.echo, tasks.echoApart])(
    "$name gets what was protected on its way, and gives it back",
    async (task) => {
      const { client, worker, state } = await scene(protection);
      const running = await worker(handlers, { ...options, isolation });
      const from = await client();
      for (const text of ["short", long]) {
        const handle = await from.enqueue(task, text);
        expect((await handle.result({ timeout: "20s" })) === text).toBe(true);
      }
      await running.close();
      expect((await state.list(["body", "task"], { limit: 10 })).entries).toEqual([]);
    },
  );

  test("what they enqueue is signed, and steps of workflows reach them", async () => {
    const { client, worker } = await scene(protection);
    await worker(handlers, { ...options, isolation });
    const from = await client();
    const child = await (await from.enqueue(tasks.parent, long)).result({ timeout: "20s" });
    expect((await from.handle(tasks.echo, child).result({ timeout: "20s" })) === long).toBe(true);
    const flow = await from.enqueue(chain(tasks.split, map(tasks.echo), tasks.lengths), 3);
    expect(await flow.result({ timeout: "20s" })).toBe(600_000);
  });

  test("a message that nobody signed does not reach them, and a record that nobody signed ends none", async () => {
    const { broker, client, worker, captured, state, results } = await scene(protection);
    const stranger = await createClient({ broker, results, state });
    const forged = await captured(stranger, () => stranger.enqueue(tasks.echo, "forged"));
    await stranger.close();
    const running = await worker(handlers, { ...options, isolation, lease: 300 });
    await inject(broker, { ...forged, hop: 1 });
    expect((await running.next("task.rejected")).reason.code).toBe("SIGNATURE_MISSING");
    const from = await client();
    const handle = await from.enqueue(tasks.spin, undefined, { id: "victim" });
    await running.next("task.started");
    const record = { run: 0, reason: "forged", mode: "force", at: 1 };
    await state.put([{ key: ["cancel", "victim"], value: Buffer.from(JSON.stringify(record)) }]);
    await handle.cancel("wanted no longer", { mode: "force" });
    expect(await handle.outcome({ timeout: "20s" })).toMatchObject({ status: "cancelled", reason: "wanted no longer" });
  });
});
