import type { Outcome, StoredOutcome } from "./outcome.ts";

/** A stored outcome as callers see it: its result read, its time to live left out. */
export async function toOutcome(
  stored: StoredOutcome,
  read: (value: { readonly contentType: string; readonly body: Uint8Array }) => unknown,
): Promise<Outcome> {
  const { ttl: _, result, error, reason, code, status, ...base } = stored;
  switch (status) {
    case "succeeded":
      return { ...base, status, result: result === undefined ? undefined : await read(result) };
    case "failed":
      return { ...base, status, error: error ?? { name: "Error", message: "no error was recorded" } };
    case "cancelled":
      return { ...base, status, reason: reason ?? "", code: code ?? "TASK_CANCELLED" };
  }
}
