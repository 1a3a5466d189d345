import { type Counter, type Histogram, type MeterProvider, type UpDownCounter, ValueType } from "@opentelemetry/api";
import type { TaskferryEvent } from "@taskferry/core";
import { metric, scope } from "./conventions.ts";

/** What is counted and measured. */
export interface Instruments {
  readonly sent: Counter;
  readonly consumed: Counter;
  readonly operationDuration: Histogram;
  readonly processDuration: Histogram;
  readonly wait: Histogram;
  readonly inFlight: UpDownCounter;
  readonly retries: Counter;
  readonly deadLetters: Counter;
}

/** Upper bounds in seconds: tasks take from a millisecond to hours, where those of the conventions end at ten seconds. */
const bounds = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200];

export function createInstruments(provider: MeterProvider): Instruments {
  const meter = provider.getMeter(scope);
  const count = (name: string, unit: string, description: string) =>
    meter.createCounter(name, { unit, description, valueType: ValueType.INT });
  const measure = (name: string, description: string) =>
    meter.createHistogram(name, { unit: "s", description, advice: { explicitBucketBoundaries: bounds } });
  return {
    sent: count(metric.sent, "{message}", "Messages that a broker was given."),
    consumed: count(metric.consumed, "{message}", "Deliveries whose handler began."),
    operationDuration: measure(metric.operationDuration, "How long it took a broker to take a message."),
    processDuration: measure(metric.processDuration, "How long a handler ran."),
    wait: measure(metric.wait, "From the enqueue, or the end of the delay, to the start of the handler."),
    inFlight: meter.createUpDownCounter(metric.inFlight, { unit: "{task}", description: "Handlers that run now." }),
    retries: count(metric.retries, "{task}", "Failures that are followed by another attempt."),
    deadLetters: count(metric.deadLetters, "{message}", "Messages that were given up on."),
  };
}

/** What only the worker knows: what became of a task after its handler ended. */
export function countEvent(instruments: Instruments, event: TaskferryEvent): void {
  switch (event.type) {
    case "task.retrying":
      return instruments.retries.add(1, { "messaging.destination.name": event.queue, "taskferry.task": event.task });
    // The name of a task that nobody knows comes from outside: it is no attribute.
    case "task.rejected":
      return instruments.deadLetters.add(1, {
        "messaging.destination.name": event.queue,
        "error.type": event.reason.code,
      });
    case "task.failed":
      return instruments.deadLetters.add(1, {
        "messaging.destination.name": event.queue,
        "taskferry.task": event.task,
        "error.type": event.error.code ?? event.error.name,
      });
    default:
  }
}
