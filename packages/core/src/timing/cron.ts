import { Cron } from "croner";
import { OptionError } from "../errors.ts";
import { findZone, type Zone } from "./zone.ts";

/**
 * The first instant after `instant` that a cron expression names; `undefined` when there is none any more.
 *
 * A wall time that local clocks skip fires once, at the shift; one that they show twice fires once, the first time. An
 * expression that leaves the hour open (`*`) goes by elapsed time instead: it repeats with the repeated hour and leaves
 * out the skipped one.
 */
export type NextInstant = (instant: number) => number | undefined;

/** @throws OptionError `OPTION_INVALID` for an expression or a time zone that cannot be read. */
export function readCron(expression: string, timeZone: string, subject: string): NextInstant {
  const zone = findZone(timeZone, subject);
  const nextWall = readPattern(expression, subject);
  return leavesHourOpen(expression) ? byElapsedTime(zone, nextWall) : byWallTime(zone, nextWall);
}

/** The pattern alone, on clocks that are never turned: what a turn of the clock means is decided here and not there. */
function readPattern(expression: string, subject: string): NextInstant {
  try {
    const pattern = new Cron(expression, { timezone: "UTC", paused: true });
    return (wall) => pattern.nextRun(new Date(wall))?.getTime();
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new OptionError(
      "OPTION_INVALID",
      `${subject}, cron: expected an expression such as "0 2 * * *" (minute, hour, day, month, weekday; seconds before, years behind), got ${JSON.stringify(expression)}: ${text}`,
      { cause },
    );
  }
}

function leavesHourOpen(expression: string): boolean {
  const fields = expression.trim().split(/\s+/);
  if (fields.length === 1) return fields[0]?.toLowerCase() === "@hourly";
  const hour = fields.length === 5 ? fields[1] : fields[2];
  return hour === "*" || hour === "?" || hour === "*/1";
}

function byWallTime(zone: Zone, nextWall: NextInstant): NextInstant {
  return (instant) => {
    let wall = nextWall(lastWallBefore(zone, instant));
    while (wall !== undefined) {
      const found = zone.toInstant(wall);
      if (found > instant) return found;
      wall = nextWall(wall);
    }
    return undefined;
  };
}

/** The latest wall time that has been shown by now: while an hour is repeated, its end. */
function lastWallBefore(zone: Zone, instant: number): number {
  const wall = instant + zone.offset(instant);
  const first = zone.toInstant(wall);
  const shift = first < instant ? zone.nextShift(first, instant) : undefined;
  return shift === undefined ? wall : Math.max(wall, shift - 1 + zone.offset(first));
}

function byElapsedTime(zone: Zone, nextWall: NextInstant): NextInstant {
  return (instant) => {
    let offset = zone.offset(instant);
    let wall = nextWall(instant + offset);
    for (let since = instant; wall !== undefined; ) {
      const shift = zone.nextShift(since, wall - offset);
      if (shift === undefined) return wall - offset;
      // Nothing was due before the clocks were turned: on with what they show from then on.
      offset = zone.offset(shift);
      wall = nextWall(shift - 1 + offset);
      since = shift;
    }
    return undefined;
  };
}
