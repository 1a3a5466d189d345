import { performance } from "node:perf_hooks";
import {
  type Attributes,
  type Context,
  context,
  createNoopMeter,
  type MeterProvider,
  metrics,
  ProxyTracerProvider,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import {
  type Execution,
  isTaskferryError,
  type Message,
  type Middleware,
  type OutgoingMessage,
  type PublishResult,
  type TaskferryEvent,
} from "@taskferry/core";
import { carry, uncarry } from "./carrier.ts";
import { attribute, scope, system } from "./conventions.ts";
import { countEvent, createInstruments, type Instruments } from "./instruments.ts";
import { surroundings } from "./surroundings.ts";

export interface OtelOptions {
  /**
   * How an execution belongs to the enqueue it comes from. `"parent"` (default): in the same trace, as its child.
   * `"link"`: a trace of its own that points to it, for what runs hours later or a thousand times.
   */
  readonly traceMode?: "parent" | "link";
  /** Default: the global ones of @opentelemetry/api, looked up when a client or worker starts. */
  readonly tracerProvider?: TracerProvider;
  readonly meterProvider?: MeterProvider;
}

/**
 * A middleware, for the front of `middlewares` of clients and workers: OpenTelemetry by its conventions for messaging. A context travels in the headers of messages, from a request to its
 * task and on to the tasks that this one enqueues. Without an SDK it does next to nothing.
 */
export function otel(options: OtelOptions = {}): Middleware {
  const telemetry = new Telemetry(options);
  return {
    name: "otel",
    surroundings,
    start: async () => telemetry.start(),
    enqueue: (outgoing, next) => telemetry.send(outgoing, next),
    execute: (execution, next) => telemetry.process(execution, next),
    get listen() {
      return telemetry.isMetered ? (event: TaskferryEvent) => countEvent(telemetry.instruments, event) : undefined;
    },
  };
}

class Telemetry {
  /** Whether anybody reads what is counted. */
  isMetered = false;
  readonly #options: OtelOptions;
  #instruments: Instruments | undefined;
  #tracer: Tracer | undefined;

  constructor(options: OtelOptions) {
    this.#options = options;
  }

  get instruments(): Instruments {
    this.#instruments ??= createInstruments(this.#options.meterProvider ?? metrics.getMeterProvider());
    return this.#instruments;
  }

  /** An SDK is mostly there before anything starts; its instruments cannot be had earlier. */
  start(): void {
    this.#instruments = createInstruments(this.#options.meterProvider ?? metrics.getMeterProvider());
    this.isMetered = this.#options.meterProvider !== undefined || !isNoop(metrics.getMeterProvider());
  }

  send(outgoing: OutgoingMessage, next: (outgoing: OutgoingMessage) => Promise<PublishResult>): Promise<PublishResult> {
    const tracer = this.#findTracer();
    if (tracer === undefined && !this.isMetered) return next(outgoing);
    return this.#send(tracer, outgoing, next);
  }

  process(execution: Execution, next: () => Promise<unknown>): Promise<unknown> {
    const tracer = this.#findTracer();
    if (tracer === undefined && !this.isMetered) return next();
    return this.#process(tracer, execution, next);
  }

  /** `undefined` while no SDK is there. */
  #findTracer(): Tracer | undefined {
    if (this.#tracer !== undefined) return this.#tracer;
    const provider = this.#options.tracerProvider ?? trace.getTracerProvider();
    const isThere = !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer(scope) !== undefined;
    if (isThere) this.#tracer = provider.getTracer(scope);
    return this.#tracer;
  }

  async #send(
    tracer: Tracer | undefined,
    outgoing: OutgoingMessage,
    next: (outgoing: OutgoingMessage) => Promise<PublishResult>,
  ): Promise<PublishResult> {
    const { message } = outgoing;
    const began = performance.now();
    const common = describe(message, "send");
    const span = tracer?.startSpan(`send ${message.queue}`, {
      kind: SpanKind.PRODUCER,
      attributes: { ...common, ...identify(message) },
    });
    const carried = span === undefined ? message : carry(message, trace.setSpan(context.active(), span));
    let failure: string | undefined;
    try {
      const result = await next({ ...outgoing, message: carried });
      if (result.status === "refused" || result.status === "unknown") failure = fail(span, result.error);
      return result;
    } catch (error) {
      failure = fail(span, error);
      throw error;
    } finally {
      span?.end();
      const attributes = failure === undefined ? common : { ...common, [attribute.error]: failure };
      this.instruments.sent.add(1, attributes);
      this.instruments.operationDuration.record((performance.now() - began) / 1_000, attributes);
    }
  }

  async #process(tracer: Tracer | undefined, { message }: Execution, next: () => Promise<unknown>): Promise<unknown> {
    const { consumed, wait, inFlight, processDuration } = this.instruments;
    const began = performance.now();
    const common = describe(message, "process");
    consumed.add(1, common);
    wait.record(Math.max(0, Date.now() - (message.notBefore ?? message.enqueuedAt)) / 1_000, common);
    inFlight.add(1, common);
    const sender = uncarry(message);
    const span = tracer === undefined ? undefined : this.#startProcess(tracer, message, { common, sender });
    let failure: string | undefined;
    try {
      if (span === undefined) return await next();
      // Whatever else the sender's context carries, such as baggage, goes on with the execution.
      return await context.with(trace.setSpan(sender, span), next);
    } catch (error) {
      failure = judge(span, error);
      throw error;
    } finally {
      span?.end();
      inFlight.add(-1, common);
      const attributes = failure === undefined ? common : { ...common, [attribute.error]: failure };
      processDuration.record((performance.now() - began) / 1_000, attributes);
    }
  }

  #startProcess(
    tracer: Tracer,
    message: Message,
    { common, sender }: { readonly common: Attributes; readonly sender: Context },
  ): Span {
    const attributes = {
      ...common,
      ...identify(message),
      [attribute.attempt]: message.attempt,
      [attribute.run]: message.run,
    };
    const options: SpanOptions = { kind: SpanKind.CONSUMER, attributes };
    const name = `process ${message.queue}`;
    if (this.#options.traceMode !== "link") return tracer.startSpan(name, options, sender);
    const linked = trace.getSpanContext(sender);
    const links = linked === undefined ? [] : [{ context: linked }];
    return tracer.startSpan(name, { ...options, links, root: true }, sender);
  }
}

function describe({ queue, task }: Message, operation: "send" | "process"): Attributes {
  return {
    [attribute.system]: system,
    [attribute.destination]: queue,
    [attribute.operation]: operation,
    [attribute.operationType]: operation,
    [attribute.task]: task,
  };
}

/** Of one message alone: for spans, never for metrics. */
function identify({ id, body }: Message): Attributes {
  return { [attribute.messageId]: id, [attribute.bodySize]: body.length };
}

/** What a handler throws to be run later, or not at all, is no failure. */
function judge(span: Span | undefined, error: unknown): string | undefined {
  const isControl = isTaskferryError(error) && (error.name === "RetryLater" || error.name === "CancelTask");
  if (!isControl) return fail(span, error);
  span?.setAttribute(attribute.outcome, error.name === "RetryLater" ? "later" : "cancelled");
  return undefined;
}

function fail(span: Span | undefined, error: unknown): string {
  const type = typeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  span?.setAttribute(attribute.error, type);
  span?.recordException(error instanceof Error ? error : message);
  span?.setStatus({ code: SpanStatusCode.ERROR, message });
  return type;
}

/** Of few kinds: it is an attribute of metrics. */
function typeOf(error: unknown): string {
  if (isTaskferryError(error)) return error.code;
  return error instanceof Error ? error.name : "NonError";
}

function isNoop(provider: MeterProvider): boolean {
  return provider.getMeter(scope) === createNoopMeter();
}
