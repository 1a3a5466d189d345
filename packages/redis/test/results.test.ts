import { testResultBackend } from "@taskferry/testing";
import { redisResults } from "../src/index.ts";
import { store } from "../src/results/scripts.ts";
import { createRedisHarness, privateRedis } from "./harness.ts";

const redis = privateRedis();

testResultBackend({
  name: "redisResults",
  create: (request) =>
    createRedisHarness(redis.current(), request, {
      make: redisResults,
      scripts: { store: [store], get: ["mget"], delete: ["unlink"] },
    }),
});
