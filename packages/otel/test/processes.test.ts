import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { createClient } from "@taskferry/core";
import { sqlite } from "@taskferry/sqlite";
import { spawnProcess } from "@taskferry/testing";
import { expect, onTestFinished, test } from "vitest";
import { otel } from "../src/index.ts";
import { order, ship } from "./fixtures/tasks.ts";
import { type PlainSpan, startTracing } from "./fixtures/telemetry.ts";

type FromWorker = { readonly type: "ready" } | { readonly type: "spans"; readonly spans: readonly PlainSpan[] };

const tracing = startTracing();

/** A request in this process, its task and the child of that in a second, the grandchild over another broker in a third. */
async function runRequest(traceMode: "parent" | "link"): Promise<ReadonlyMap<string, PlainSpan>> {
  const folder = await mkdtemp(join(tmpdir(), "taskferry-otel-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [first, second] = [join(folder, "first.db"), join(folder, "second.db")];
  const entry = new URL("./fixtures/worker.ts", import.meta.url);
  const workers = [
    await spawnProcess<FromWorker>(entry, { args: [first, second, traceMode] }),
    await spawnProcess<FromWorker>(entry, { args: [second, second, traceMode] }),
  ];
  for (const worker of workers) onTestFinished(async () => void (await worker.kill()));
  for (const worker of workers) await worker.waitFor("ready");
  const client = await createClient({ broker: sqlite({ path: first }), middlewares: [otel({ traceMode })] });
  onTestFinished(() => client.close());
  const request = trace.getTracer("test").startSpan("GET /order");
  const baggage = propagation.createBaggage({ tenant: { value: "acme" } });
  await context.with(propagation.setBaggage(trace.setSpan(context.active(), request), baggage), () =>
    client.enqueue(order, { item: "boat" }),
  );
  request.end();
  const told = await Promise.all(workers.map((worker) => worker.waitFor("spans")));
  for (const worker of workers) worker.send({ type: "stop" });
  for (const worker of workers) await worker.exited;
  const shipped = told.flatMap(({ spans }) => spans).find(({ name }) => name === "process shipping");
  const reader = await createClient({ broker: sqlite({ path: second }) });
  onTestFinished(() => reader.close());
  const result = reader.handle(ship, String(shipped?.attributes["messaging.message.id"])).result({ timeout: "10s" });
  expect(await result, "the baggage of the request").toBe("boat for acme");
  const traceId = request.spanContext().traceId;
  const own = tracing.spans().filter((span) => span.traceId === traceId);
  return new Map([...own, ...told.flatMap(({ spans }) => spans)].map((span) => [span.name, span]));
}

test("one trace from the request to the child of its task's child, over processes and brokers", async () => {
  const spans = await runRequest("parent");
  const line = [
    "GET /order",
    "send orders",
    "process orders",
    "send packing",
    "process packing",
    "send shipping",
    "process shipping",
  ];
  expect([...spans.keys()].sort()).toEqual([...line].sort());
  for (const [index, name] of line.entries()) {
    const span = spans.get(name) as PlainSpan;
    expect(span.traceId, name).toBe(spans.get("GET /order")?.traceId);
    expect(span.parent, name).toBe(index === 0 ? undefined : spans.get(line[index - 1] as string)?.spanId);
  }
  expect(spans.get("send orders")?.kind).toBe(SpanKind.PRODUCER);
  expect(spans.get("process orders")).toMatchObject({
    kind: SpanKind.CONSUMER,
    attributes: {
      "messaging.system": "taskferry",
      "messaging.destination.name": "orders",
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "taskferry.task": "order",
      "taskferry.attempt": 0,
    },
  });
});

test("traces of their own that point to where they come from", async () => {
  const spans = await runRequest("link");
  for (const queue of ["orders", "packing", "shipping"]) {
    const [send, process] = [spans.get(`send ${queue}`), spans.get(`process ${queue}`)];
    expect(process?.parent, queue).toBeUndefined();
    expect(process?.traceId, queue).not.toBe(send?.traceId);
    expect(process?.links, queue).toEqual([`${send?.traceId}/${send?.spanId}`]);
  }
  expect(spans.get("send packing")?.parent).toBe(spans.get("process orders")?.spanId);
});
