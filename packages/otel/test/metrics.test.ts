import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { CancelTask, createClient, createWorker, defineTask, memory, silentLogger } from "@taskferry/core";
import { expect, test } from "vitest";
import { otel } from "../src/index.ts";

const job = defineTask<{ fail: number }, string>("job", { retry: { attempts: 2, backoff: { from: 0, to: 0 } } });

test("counts, measures and marks what fails", async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const spans = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  const telemetry = otel({ meterProvider, tracerProvider });
  const broker = memory();
  const worker = createWorker({
    ...{ broker, middlewares: [telemetry], logger: silentLogger },
    handlers: [
      job.handler(async ({ fail }, { attempt }) => {
        if (fail === -1) throw new CancelTask("no");
        if (attempt < fail) throw new TypeError("broken");
        return "done";
      }),
    ],
  });
  await worker.start();
  const client = await createClient({ broker, middlewares: [telemetry] });
  const handles = await Promise.all([0, 1, 9, -1].map((fail) => client.enqueue(job, { fail })));
  await Promise.all(handles.map((handle) => handle.outcome({ timeout: "10s" })));
  await worker.close();
  await client.close();
  await reader.forceFlush();
  const data =
    exporter
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap(({ metrics }) => metrics) ?? [];
  const points = (name: string) => data.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
  const sum = (name: string, error?: string) =>
    points(name)
      .filter(({ attributes }) => error === undefined || attributes["error.type"] === error)
      .reduce((total, { value }) => total + (typeof value === "number" ? value : value.count), 0);
  expect(sum("messaging.client.sent.messages")).toBe(4);
  expect(sum("messaging.client.consumed.messages")).toBe(6);
  expect(sum("messaging.process.duration")).toBe(6);
  expect(sum("messaging.process.duration", "TypeError")).toBe(3);
  expect(sum("messaging.client.operation.duration")).toBe(4);
  expect(sum("taskferry.task.wait")).toBe(6);
  expect(sum("taskferry.tasks.in_flight")).toBe(0);
  expect(sum("taskferry.task.retries")).toBe(2);
  expect(sum("taskferry.dead_letters", "TypeError")).toBe(1);
  const everything = JSON.stringify(data);
  for (const { id } of handles) expect(everything, "no id is an attribute of a metric").not.toContain(id);
  const failed = spans.getFinishedSpans().filter(({ status }) => status.code === 2);
  expect(failed).toHaveLength(3);
  expect(failed[0]?.events[0]?.name).toBe("exception");
  const cancelled = spans
    .getFinishedSpans()
    .filter(({ attributes }) => attributes["taskferry.outcome"] === "cancelled");
  expect(cancelled).toHaveLength(1);
});
