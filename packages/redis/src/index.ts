// Brokers
export { redisList } from "./list/broker.ts";
// Options
export type { RedisConnectionOptions, RedisListOptions } from "./options.ts";
// Results and state
export { redisResults } from "./results/backend.ts";
// URLs
export { schemes } from "./schemes.ts";
export { redisState } from "./state/store.ts";
