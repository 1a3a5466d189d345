import type { Subject } from "./subject.ts";
import { beeQueue } from "./subjects/bee-queue.ts";
import { bullmq } from "./subjects/bullmq.ts";
import { rawAmqplib } from "./subjects/raw-amqplib.ts";
import { rawJetStream } from "./subjects/raw-jetstream.ts";
import { rawRedis } from "./subjects/raw-redis.ts";
import { rawScripts } from "./subjects/raw-scripts.ts";
import { rawStreams } from "./subjects/raw-streams.ts";
import { taskferry, taskferryMemory, taskferryRabbitmq, taskferryWithoutResults } from "./subjects/taskferry.ts";
import { chains, groupsOf, independent } from "./subjects/workflows.ts";

/** What a subject runs on. */
export type Medium = "redis" | "rabbitmq" | "nats" | "sqlite" | "memory";

interface Entry {
  readonly medium: Medium;
  readonly subject: Subject;
  /** In place of the scheme of the medium's URL. */
  readonly scheme?: string;
}

/** In the order of the table; `medium` says what they run on. */
export const subjects: Readonly<Record<string, Entry>> = {
  "raw ioredis": { medium: "redis", subject: rawRedis },
  "raw ioredis, scripts": { medium: "redis", subject: rawScripts },
  "raw ioredis streams": { medium: "redis", subject: rawStreams },
  "taskferry redisList": { medium: "redis", subject: taskferry },
  "taskferry redisStream": { medium: "redis", subject: taskferry, scheme: "redis+stream:" },
  "taskferry redisStream, no results": { medium: "redis", subject: taskferryWithoutResults, scheme: "redis+stream:" },
  "taskferry tasks, enqueued meanwhile": { medium: "redis", subject: independent },
  "taskferry chains of 3": { medium: "redis", subject: chains },
  "taskferry groups of 100": { medium: "redis", subject: groupsOf(100) },
  "taskferry groups of 10,000": { medium: "redis", subject: groupsOf(10_000) },
  BullMQ: { medium: "redis", subject: bullmq },
  "bee-queue": { medium: "redis", subject: beeQueue },
  "raw JetStream": { medium: "nats", subject: rawJetStream },
  "taskferry nats": { medium: "nats", subject: taskferry },
  "taskferry nats, no results": { medium: "nats", subject: taskferryWithoutResults },
  "raw amqplib": { medium: "rabbitmq", subject: rawAmqplib },
  "taskferry rabbitmq": { medium: "rabbitmq", subject: taskferryRabbitmq },
  "taskferry sqlite": { medium: "sqlite", subject: taskferry },
  "taskferry memory": { medium: "memory", subject: taskferryMemory },
};
