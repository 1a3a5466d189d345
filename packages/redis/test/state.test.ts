import { testStateStore } from "@taskferry/testing";
import { redisState } from "../src/index.ts";
import { add, increment, put, remove, take } from "../src/state/scripts.ts";
import { createRedisHarness, privateRedis } from "./harness.ts";

const redis = privateRedis();

testStateStore({
  name: "redisState",
  create: (request) =>
    createRedisHarness(redis.current(), request, {
      make: redisState,
      scripts: { put: [put], delete: [remove], increment: [increment], add: [add], remove: [take] },
    }),
});
