import type { NextInstant } from "../timing/cron.ts";
import type { ScheduleRecord } from "./record.ts";

/** What a schedule owes by now. */
export interface Due {
  /** The nominal times to make, oldest first. When there are none, the cursor goes to `reached` by itself. */
  readonly times: readonly number[];
  /** The first nominal time that is later than the grace allows; `undefined` when none is. */
  readonly missedSince: number | undefined;
  readonly reached: number;
}

/** At most so many are made in one go; what is left is due at once. */
const mostAtOnce = 1_000;

/**
 * Decides what to make of the nominal times between the cursor and `now`: those within the grace are made, and of the
 * later ones as many as the misfire policy says. A clock that was put back owes nothing: the cursor never goes back.
 */
export function findDue({ cursor, policy }: ScheduleRecord, next: NextInstant, now: number): Due {
  const first = next(cursor);
  if (first === undefined || first > now) return { times: [], missedSince: undefined, reached: cursor };
  const { misfire, grace, max } = policy;
  const horizon = Math.max(cursor, now - grace - 1);
  const kept = misfire === "skip" ? 0 : misfire === "once" ? 1 : max;
  const missedSince = first <= horizon ? first : undefined;
  const late = missedSince === undefined || kept === 0 ? [] : newest(next, { cursor, horizon, kept });
  const room = Math.max(mostAtOnce, late.length + 1) - late.length;
  return { times: [...late, ...list(next, { from: horizon, to: now, most: room })], missedSince, reached: horizon };
}

/**
 * The newest nominal times after the cursor and up to the horizon. There is no way back through a timing, and from the
 * cursor on there may be millions: so the look begins ever earlier until it finds enough.
 */
function newest(
  next: NextInstant,
  { cursor, horizon, kept }: { readonly cursor: number; readonly horizon: number; readonly kept: number },
): readonly number[] {
  for (let span = 1_000 * kept; ; span *= 2) {
    const from = Math.max(cursor, horizon - span);
    const found = list(next, { from, to: horizon, most: Number.POSITIVE_INFINITY });
    if (found.length >= kept || from === cursor) return found.slice(-kept);
  }
}

function list(
  next: NextInstant,
  { from, to, most }: { readonly from: number; readonly to: number; readonly most: number },
): readonly number[] {
  const times: number[] = [];
  for (let time = next(from); time !== undefined && time <= to && times.length < most; time = next(time))
    times.push(time);
  return times;
}
