import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue, type Registry } from "prom-client";

/** What a process has measured, as plain data that may go from process to process. */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

/** A registry with what several processes have measured, told apart by the label `process`. */
export function joinSnapshots(own: MetricsSnapshot, others: Readonly<Record<string, MetricsSnapshot>>): Registry {
  const named = Object.entries(others).map(([process, snapshot]) => withLabel(snapshot, process));
  return AggregatorRegistry.aggregate([own, ...named].map((snapshot) => [...snapshot]));
}

function withLabel(snapshot: MetricsSnapshot, process: string): MetricsSnapshot {
  return snapshot.map((metric) => ({
    ...metric,
    values: metric.values.map((value) => ({ ...value, labels: { ...value.labels, process } })),
  }));
}
