import { OptionError } from "../errors.ts";

/** A time zone: how far its clocks are ahead of UTC, and when they are turned. All in epoch milliseconds. */
export interface Zone {
  readonly name: string;
  /** Milliseconds that local clocks are ahead of UTC at this instant. */
  offset(instant: number): number;
  /** The first instant after `instant` and up to `limit` at which the offset is another. */
  nextShift(instant: number, limit: number): number | undefined;
  /**
   * The instant at which local clocks show this wall time, written as if it were UTC: the first of two where they show
   * it twice, the shift where they skip it.
   */
  toInstant(wall: number): number;
}

const day = 86_400_000;
const second = 1_000;

/** @throws OptionError `OPTION_INVALID` for a name that is no IANA time zone. */
export function findZone(name: string, subject: string): Zone {
  const offset = readOffsets(name, subject);
  const bisect = (from: number, to: number): number => {
    let [low, high] = [Math.floor(from / second), Math.ceil(to / second)];
    const before = offset(from);
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offset(middle * second) === before) low = middle;
      else high = middle;
    }
    return high * second;
  };
  return {
    name,
    offset,
    nextShift: (instant, limit) => {
      const before = offset(instant);
      for (let from = instant; from < limit; from += 7 * day) {
        const to = Math.min(from + 7 * day, limit);
        if (offset(to) !== before) return bisect(from, to);
      }
      return undefined;
    },
    toInstant: (wall) => {
      const [before, after] = [offset(wall - day), offset(wall + day)];
      if (offset(wall - before) === before) return wall - before;
      if (offset(wall - after) === after) return wall - after;
      return bisect(wall - day, wall + day);
    },
  };
}

/** The platform knows the rules; what it tells is the wall time of an instant, to the second. */
function readOffsets(name: string, subject: string): (instant: number) => number {
  if (name === "UTC") return () => 0;
  const format = createFormat(name, subject);
  const known = new Map<number, number>();
  const read = (instant: number): number => {
    const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(instant)) part[type] = Number(value);
    const { year = 0, month = 1, day: date = 1, hour = 0, minute = 0, second: seconds = 0 } = part;
    return Date.UTC(year, month - 1, date, hour, minute, seconds) - Math.floor(instant / second) * second;
  };
  return (instant) => {
    const key = Math.floor(instant / second);
    const found = known.get(key);
    if (found !== undefined) return found;
    if (known.size >= 1_000) known.clear();
    const value = read(instant);
    known.set(key, value);
    return value;
  };
}

function createFormat(timeZone: string, subject: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (cause) {
    throw new OptionError(
      "OPTION_INVALID",
      `${subject}, timeZone: expected the name of a time zone such as "Europe/Berlin" or "UTC", got ${JSON.stringify(timeZone)}.`,
      { cause },
    );
  }
}
