export type { Prometheus, PrometheusOptions } from "./prometheus.ts";
export { prometheus } from "./prometheus.ts";
export type { MetricsSnapshot } from "./snapshots.ts";
