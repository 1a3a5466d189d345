import { startRedis } from "@taskferry/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { Flow } from "./fixtures/flow.ts";
import { messageOf, opened, operator, patience, queueBrokers } from "./fixtures/values.ts";

const isSoak = process.env.TASKFERRY_SOAK === "1";
const queue = "flowing";
const rounds = 40;

describe.runIf(isSoak).each(queueBrokers)("%s", (_, create) => {
  test("loses nothing while scripts are flushed, connections killed and memory runs out, again and again", {
    timeout: 240_000,
  }, async () => {
    const server = await startRedis({ appendOnly: "always" });
    onTestFinished(() => server[Symbol.asyncDispose]());
    const open = () => opened(create({ url: server.url, commandTimeout: "1s" }));
    const [publisher, worker, probe] = [await open(), await open(), await open()];
    const redis = operator(server.url);
    const flow = new Flow(queue);
    await flow.begin(publisher, worker);
    for (let round = 0; round < rounds; round += 1) {
      await flow.more(100);
      await redis.script("FLUSH");
      await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      if (round % 4 !== 3) continue;
      await redis.config("SET", "maxmemory", "1000000");
      const full = await probe.publish([{ message: messageOf(`full-${round}`, queue) }], { timeout: patience });
      expect(full).toMatchObject([{ status: "refused", error: { code: "BROKER_FULL" } }]);
      await redis.config("SET", "maxmemory", "0");
    }
    await flow.more(200);
    await flow.end();
    expect(flow.missing()).toEqual([]);
    expect(await worker.admin?.depth(queue)).toEqual({ ready: 0, delayed: 0, running: 0, dead: 0 });
    expect(
      [...flow.delivered].filter(([, count]) => count > 1),
      "what was delivered twice",
    ).toEqual([]);
  });
});
