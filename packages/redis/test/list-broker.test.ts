import { testBroker } from "@taskferry/testing";
import { redisList } from "../src/index.ts";
import { listScripts } from "../src/list/broker.ts";
import { createRedisHarness, insertRaw, operationsOf, privateRedis } from "./harness.ts";

const redis = privateRedis();

testBroker({
  name: "redisList",
  create: async (request) => {
    const harness = await createRedisHarness(redis.current(), request, {
      make: redisList,
      scripts: operationsOf(listScripts),
    });
    return { ...harness, insertRaw: (queue, bytes) => insertRaw(redis.current().url, queue, bytes) };
  },
  cannot: { crash: "leases end by themselves" },
});
