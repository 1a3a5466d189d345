import { testBroker } from "@taskferry/testing";
import { redisList } from "../src/index.ts";
import { acknowledge } from "../src/list/scripts/acknowledge.ts";
import { extend } from "../src/list/scripts/extend.ts";
import { publish } from "../src/list/scripts/publish.ts";
import { settle } from "../src/list/scripts/settle.ts";
import { take } from "../src/list/scripts/take.ts";
import { createRedisHarness, insertRaw, privateRedis } from "./harness.ts";

const redis = privateRedis();

testBroker({
  name: "redisList",
  create: async () => {
    const harness = await createRedisHarness(redis.current(), {
      make: (url) => redisList({ url, commandTimeout: "1s" }),
      scripts: { publish: [publish], take: [take], extend: [extend], settle: [acknowledge, settle] },
    });
    return { ...harness, insertRaw: (queue, bytes) => insertRaw(redis.current().url, queue, bytes) };
  },
  cannot: { crash: "leases end by themselves" },
});
