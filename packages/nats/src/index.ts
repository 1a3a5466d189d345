// Brokers
export { natsCore, natsFanout } from "./core/broker.ts";
export { nats } from "./jetstream/broker.ts";
// Options
export type { NatsConnectionOptions, NatsCoreOptions, NatsOptions, NatsStorageOptions } from "./options.ts";
