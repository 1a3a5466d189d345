// Brokers
export { nats } from "./jetstream/broker.ts";
// Options
export type { NatsConnectionOptions, NatsOptions, NatsStorageOptions } from "./options.ts";
