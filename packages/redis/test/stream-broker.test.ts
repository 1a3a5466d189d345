import { testBroker } from "@taskferry/testing";
import { redisStream } from "../src/index.ts";
import { streamScripts } from "../src/stream/broker.ts";
import { createRedisHarness, insertRawEntry, operationsOf, privateRedis } from "./harness.ts";

const redis = privateRedis();

testBroker({
  name: "redisStream",
  create: async (request) => {
    const harness = await createRedisHarness(redis.current(), request, {
      make: redisStream,
      scripts: operationsOf(streamScripts),
    });
    return { ...harness, insertRaw: (queue, bytes) => insertRawEntry(redis.current().url, queue, bytes) };
  },
  cannot: { crash: "leases end by themselves" },
});
