import { testBroker } from "@taskferry/testing";
import { redisStream } from "../src/index.ts";
import { streamScripts } from "../src/stream/broker.ts";
import { createRedisHarness, insertRawEntry, operationsOf, privateRedis } from "./harness.ts";

const redis = privateRedis();

testBroker({
  name: "redisStream",
  create: async () => {
    const harness = await createRedisHarness(redis.current(), {
      make: (url) => redisStream({ url, commandTimeout: "1s" }),
      scripts: operationsOf(streamScripts),
    });
    return { ...harness, insertRaw: (queue, bytes) => insertRawEntry(redis.current().url, queue, bytes) };
  },
  cannot: { crash: "leases end by themselves" },
});
