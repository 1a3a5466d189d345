/** Names of the OpenTelemetry conventions for messaging, as texts of our own: their package breaks in minor versions. */
export const attribute = {
  system: "messaging.system",
  destination: "messaging.destination.name",
  operation: "messaging.operation.name",
  operationType: "messaging.operation.type",
  messageId: "messaging.message.id",
  bodySize: "messaging.message.body.size",
  error: "error.type",
  task: "taskferry.task",
  attempt: "taskferry.attempt",
  run: "taskferry.run",
  outcome: "taskferry.outcome",
} as const;

export const metric = {
  sent: "messaging.client.sent.messages",
  consumed: "messaging.client.consumed.messages",
  operationDuration: "messaging.client.operation.duration",
  processDuration: "messaging.process.duration",
  wait: "taskferry.task.wait",
  inFlight: "taskferry.tasks.in_flight",
  retries: "taskferry.task.retries",
  deadLetters: "taskferry.dead_letters",
} as const;

export const system = "taskferry";
export const scope = "@taskferry/otel";
