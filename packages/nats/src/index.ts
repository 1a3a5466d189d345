// Brokers
export { natsCore, natsFanout } from "./core/broker.ts";
export { nats } from "./jetstream/broker.ts";
// Options
export type {
  NatsConnectionOptions,
  NatsCoreOptions,
  NatsOptions,
  NatsResultsOptions,
  NatsStateOptions,
  NatsStorageOptions,
} from "./options.ts";
// Results and state
export { natsResults } from "./results/backend.ts";
// URLs
export { schemes } from "./schemes.ts";
export { natsState } from "./state/store.ts";
