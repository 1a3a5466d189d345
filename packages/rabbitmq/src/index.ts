// Brokers
export { rabbitmq } from "./broker.ts";
export { rabbitmqFanout } from "./fanout/broker.ts";
// Options
export type { RabbitmqConnectionOptions, RabbitmqOptions } from "./options.ts";
// Results
export { rabbitmqResults } from "./results/backend.ts";
// URLs
export { schemes } from "./schemes.ts";
