import { testResultBackend } from "@taskferry/testing";
import { redisResults } from "../src/index.ts";
import { store } from "../src/results/scripts.ts";
import { createRedisHarness, privateRedis } from "./harness.ts";

const redis = privateRedis();

testResultBackend({
  name: "redisResults",
  create: () =>
    createRedisHarness(redis.current(), {
      make: (url) => redisResults({ url, commandTimeout: "1s" }),
      scripts: { store: [store], get: ["mget"], delete: ["unlink"] },
    }),
});
