import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { createClient, createWorker, defineTask, silentLogger } from "@taskferry/core";
import { otel } from "@taskferry/otel";

// The SDK as an application sets it up, with an exporter that keeps everything.
const exporter = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());

const config = {
  broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/tracing.db",
  results: process.env["TASKFERRY_RESULTS"],
  middlewares: [otel()],
  logger: silentLogger,
};
const invoice = defineTask<{ order: number }, string>("invoice", { queue: "orders" });
const mail = defineTask<{ text: string }>("mail", {
  queue: "mail",
  retry: { attempts: 2, backoff: { from: 0, to: 0 } },
});
const onInvoice = invoice.handler(async ({ order }, { enqueue }) => {
  const { id } = await enqueue(mail, { text: `order ${order}` });
  return id;
});
const onMail = mail.handler((_, { attempt }) => {
  if (attempt === 0) throw new Error("the mail server is busy");
});

const worker = createWorker({ ...config, handlers: [onInvoice, onMail] });
await worker.start();
const client = await createClient(config);
const request = trace.getTracer("web").startSpan("POST /orders", { kind: SpanKind.SERVER });
const handle = await context.with(trace.setSpan(context.active(), request), () =>
  client.enqueue(invoice, { order: 7 }),
);
request.end();
await client.handle(mail, await handle.result({ timeout: "10s" })).result({ timeout: "10s" });
await worker.close();
await client.close();

const spans = exporter.getFinishedSpans();
function show(parent: string | undefined, depth: number): void {
  for (const span of spans.filter(({ parentSpanContext }) => parentSpanContext?.spanId === parent)) {
    const error = span.attributes["error.type"];
    console.log(`${"  ".repeat(depth)}${span.name}${error === undefined ? "" : ` (${String(error)})`}`);
    show(span.spanContext().spanId, depth + 1);
  }
}
show(undefined, 0);
console.log(`traces: ${new Set(spans.map((span) => span.spanContext().traceId)).size}`);
