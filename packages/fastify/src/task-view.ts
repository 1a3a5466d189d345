import type { TaskStatus } from "@taskferry/core";

/** A task as the routes show it. Times are epoch milliseconds; what JSON does not know is shown as the nearest it has. */
export interface TaskView {
  readonly id: string;
  readonly status: TaskStatus["status"];
  readonly task?: string;
  readonly result?: unknown;
  /** Without stack and causes, which are for the logs. */
  readonly error?: { readonly name: string; readonly message: string; readonly code?: string };
  readonly reason?: string;
  readonly code?: string;
  readonly attempt?: number;
  readonly enqueuedAt?: number;
  readonly startedAt?: number;
  readonly finishedAt?: number;
}

export function viewTask(status: TaskStatus): TaskView {
  if (!("finishedAt" in status)) return { id: status.id, status: status.status };
  const { id, task, attempt, enqueuedAt, startedAt, finishedAt } = status;
  const facts = { id, task, attempt, enqueuedAt, ...(startedAt !== undefined && { startedAt }), finishedAt };
  switch (status.status) {
    case "succeeded":
      return { ...facts, status: "succeeded", result: status.result };
    case "cancelled":
      return { ...facts, status: "cancelled", reason: status.reason, code: status.code };
    case "failed": {
      const { name, message, code } = status.error;
      return { ...facts, status: "failed", error: { name, message, ...(code !== undefined && { code }) } };
    }
  }
}

/** JSON of any value that a serializer of taskferry may give. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, function (this: Readonly<Record<string, unknown>>, key, item: unknown) {
    const original = this[key];
    if (original instanceof Uint8Array) return Buffer.from(original).toString("base64");
    if (original instanceof Map) return [...original];
    if (original instanceof Set) return [...original];
    if (original instanceof Error) return { name: original.name, message: original.message };
    return typeof item === "bigint" ? String(item) : item;
  });
}
