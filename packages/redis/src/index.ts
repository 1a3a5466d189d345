// Brokers
export { redisList } from "./list/broker.ts";
// Options
export type { RedisConnectionOptions, RedisPubSubOptions, RedisQueueOptions } from "./options.ts";
export { redisPubSub } from "./pubsub/broker.ts";
// Results and state
export { redisResults } from "./results/backend.ts";
// URLs
export { schemes } from "./schemes.ts";
export { redisState } from "./state/store.ts";
export { redisStream } from "./stream/broker.ts";
