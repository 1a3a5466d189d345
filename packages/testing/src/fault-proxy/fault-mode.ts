import { type Duration, OptionError, parseDuration } from "@taskferry/core";

/**
 * How a proxy treats what goes through it.
 *
 * - `"pass"`: forwards everything at once.
 * - `{ delay }`: forwards everything that long after it came, so that a round trip takes twice as long more.
 * - `{ throttle }`: forwards at most that many bytes a second, on each connection and in each direction.
 * - `"freeze"`: takes connections, forwards nothing, closes nothing, as if the other side had lost its power. The end
 *   of a connection is not passed on either. It holds 1 MiB each way, then takes no more from the system.
 * - `"dropReplies"`: forwards requests, never a reply. What was dropped does not come later.
 * - `"refuse"`: ends new connections by RST. Open ones are left alone.
 */
export type FaultMode = PlainMode | { readonly delay: Duration } | { readonly throttle: number };

type PlainMode = "dropReplies" | "freeze" | "pass" | "refuse";

/** A mode whose figures can be reckoned with: milliseconds, and bytes a second. */
export type CheckedMode = PlainMode | { readonly delay: number } | { readonly throttle: number };

export function checkMode(mode: FaultMode): CheckedMode {
  if (typeof mode === "string") return mode;
  if ("delay" in mode) return { delay: parseDuration(mode.delay, "delay") };
  if (mode.throttle > 0) return mode;
  throw new OptionError(
    "OPTION_INVALID",
    `throttle: expected more than 0 bytes a second, got ${mode.throttle}. To let nothing pass, use "freeze".`,
  );
}
