import { testingError } from "../testing-error.ts";

/**
 * What can happen to a task, as a history knows it.
 *
 * - `attempted`: somebody is about to enqueue it. Recorded before the call, so that nothing can run unannounced.
 * - `acknowledged`: the call said that it is enqueued. From here on it must not be lost.
 * - `unknown`: the call could not say. It may be enqueued or not.
 * - `started`: a handler began.
 * - `aborted`: a handler that runs saw its signal abort.
 * - `executed`: a handler came to its end, for success or for failure that is final.
 * - `stored`: its outcome was stored.
 * - `cancelled`: it ended without a handler, because it was cancelled or had expired.
 * - `dead`: it is in the dead letters.
 */
export type HistoryEventName = (typeof historyEventNames)[number];

const historyEventNames = [
  "attempted",
  "acknowledged",
  "unknown",
  "started",
  "aborted",
  "executed",
  "stored",
  "cancelled",
  "dead",
] as const;

export interface HistoryEvent {
  readonly event: HistoryEventName;
  /** Of the task. */
  readonly id: string;
  /** Milliseconds since 1970, by the clock of the process that recorded it. */
  readonly at: number;
}

/** One line of a history file. */
export function formatEvent({ event, id, at }: HistoryEvent): string {
  return `${JSON.stringify({ at, event, id })}\n`;
}

/**
 * The events in the text of one history file. The last line may be torn, because its writer was killed: it counts as
 * never written, and is not an error.
 *
 * @throws `HISTORY_BROKEN` for any other line that is no event. `name` is the file's, for the message.
 */
export function parseEvents(text: string, name: string): readonly HistoryEvent[] {
  const lines = text.split("\n");
  // What follows the last line break is either nothing or a torn line.
  return lines.slice(0, -1).map((line, index) => {
    const event = parseLine(line);
    if (event) return event;
    throw testingError(
      "HISTORY_BROKEN",
      `Expected an event in line ${index + 1} of ${name}, got ${line.slice(0, 200)}`,
    );
  });
}

function parseLine(line: string): HistoryEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isEvent(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isEvent(value: unknown): value is HistoryEvent {
  if (typeof value !== "object" || value === null) return false;
  const { event, id, at } = value as Partial<Record<keyof HistoryEvent, unknown>>;
  return typeof id === "string" && typeof at === "number" && historyEventNames.some((name) => name === event);
}
