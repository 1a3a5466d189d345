import type { Sample } from "./plan.ts";

const columns = [
  "phase",
  "subject",
  "median",
  "range",
  "ratio",
  "client CPU s/100k",
  "server CPU s/100k",
  "RSS MB",
] as const;
const titles = {
  enqueueOne: "enqueue, one by one",
  enqueueMany: "enqueue, many a call",
  process: "process",
  roundTrip: "enqueue to result",
} as const;
/** What the ratio of a subject is to: the raw client of its server, else that of Redis. */
const bases: Readonly<Record<string, string>> = {
  "raw amqplib": "raw amqplib",
  "taskferry rabbitmq": "raw amqplib",
  "raw ioredis streams": "raw ioredis streams",
  "taskferry redisStream, no results": "raw ioredis streams",
  "raw JetStream": "raw JetStream",
  "taskferry nats": "raw JetStream",
  "taskferry nats, no results": "raw JetStream",
};
const base = "raw ioredis";

/** A Markdown table: a row for each phase and subject, medians over the rounds. */
export function toTable(samples: readonly Sample[]): string {
  const rows = Object.keys(titles).flatMap((phase) => {
    const ofPhase = samples.filter((sample) => sample.phase === phase);
    const of = (name: string): readonly Sample[] => ofPhase.filter(({ subject }) => subject === name);
    const baselineOf = (subject: string): number => {
      const reference = of(bases[subject] ?? base);
      return median((reference.length > 0 ? reference : of("bee-queue")).map(figureOf));
    };
    return [...new Set(ofPhase.map(({ subject }) => subject))].map((subject) =>
      toRow(of(subject), baselineOf(subject)),
    );
  });
  return [columns, columns.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function toRow(samples: readonly Sample[], baseline: number): readonly string[] {
  const [first] = samples;
  if (first === undefined) return [];
  const figures = samples.map(figureOf);
  const middle = median(figures);
  const isLatency = first.phase === "roundTrip";
  const per100k = (select: (sample: Sample) => number | undefined): string => {
    const values = samples
      .flatMap((sample) => select(sample) ?? [])
      .map((value, index) => (value / (samples[index]?.count ?? 1)) * 100);
    return values.length === 0 ? "" : median(values).toFixed(2);
  };
  return [
    titles[first.phase],
    first.subject,
    isLatency
      ? `${middle.toFixed(2)} ms (p99 ${median(samples.map(({ latencies = [] }) => latencies[Math.floor(latencies.length * 0.99)] ?? 0)).toFixed(2)})`
      : `${format(middle)}/s`,
    isLatency
      ? `${Math.min(...figures).toFixed(2)}–${Math.max(...figures).toFixed(2)}`
      : `${format(Math.min(...figures))}–${format(Math.max(...figures))}`,
    Number.isFinite(baseline) ? (middle / baseline).toFixed(2) : "",
    per100k(({ cpuMilliseconds, share }) => cpuMilliseconds / share),
    per100k(({ serverCpuMilliseconds }) => serverCpuMilliseconds),
    String(Math.max(...samples.map(({ rssMegabytes }) => rssMegabytes))),
  ];
}

/** Tasks a second, or the median latency in milliseconds. */
function figureOf(sample: Sample): number {
  const { phase, milliseconds, latencies = [] } = sample;
  return phase === "roundTrip"
    ? (latencies[Math.floor(latencies.length / 2)] ?? Number.NaN)
    : (measured(sample) / milliseconds) * 1_000;
}

function measured({ count, share }: Pick<Sample, "count" | "share">): number {
  return count * share;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function format(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
