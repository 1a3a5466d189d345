import { checkId, checkName, parseByteSize, parseDuration } from "@taskferry/core";
import { InvalidArgumentError } from "commander";

/** Readers of arguments and options. What they refuse ends the command with 2. */

export function durationArgument(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : text;
  return refuseWhatThrows(() => parseDuration(value, "Duration"));
}

/** A duration between two looks, which cost those who are looked at. */
export function intervalArgument(text: string): number {
  const interval = durationArgument(text);
  if (interval < 100) throw new InvalidArgumentError("Expected at least 100 ms.");
  return interval;
}

export function byteSizeArgument(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : text;
  return refuseWhatThrows(() => parseByteSize(value, "Size"));
}

export function nameArgument(kind: "task" | "queue" | "schedule"): (text: string) => string {
  return (text) => refuseWhatThrows(() => checkName(kind, text));
}

export function idArgument(text: string): string {
  return refuseWhatThrows(() => checkId(text));
}

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
  };
}

/** A queue to work on, as `name` or `name=concurrency`. */
export interface QueueChoice {
  readonly name: string;
  readonly concurrency: number | undefined;
}

/** Reads `a,b=5,c`. */
export function queueList(text: string): readonly QueueChoice[] {
  const choices = text.split(",").map((part) => {
    const [name = "", concurrency, ...rest] = part.trim().split("=");
    if (rest.length > 0) throw new InvalidArgumentError(`Expected "name" or "name=concurrency", got "${part}".`);
    return {
      name: nameArgument("queue")(name),
      concurrency: concurrency === undefined ? undefined : wholeNumber(1, 100_000)(concurrency),
    };
  });
  const names = choices.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new InvalidArgumentError(`The queue "${twice}" is named twice.`);
  return choices;
}

function refuseWhatThrows<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
