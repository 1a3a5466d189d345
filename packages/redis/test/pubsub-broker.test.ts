import { testBroker } from "@taskferry/testing";
import { redisPubSub } from "../src/index.ts";
import { publish } from "../src/pubsub/publish.ts";
import { createRedisHarness, privateRedis } from "./harness.ts";

const redis = privateRedis();

testBroker({
  name: "redisPubSub",
  create: async (request) =>
    createRedisHarness(redis.current(), request, {
      make: redisPubSub,
      scripts: { publish: [publish], take: [], extend: [], settle: [] },
    }),
  cannot: { insertRaw: "nothing waits", crash: "there is nothing to come back" },
});
