import { type Band, bands } from "../topology/names.ts";
import type { Intake } from "./intake.ts";
import type { Turns } from "./turns.ts";
import type { Wakeable } from "./wakeable.ts";

export interface Demand {
  /** How many are wanted. */
  readonly room: number;
  readonly window: number;
  readonly wakeable: Wakeable;
  readonly signal: AbortSignal;
}

/** Up to so many are fetched one by one rather than subscribed to. */
export const mostFetched = 8;
/** Milliseconds for the first messages of all bands to come in, so that the highest goes first. */
const settlingIn = 8;
/** Milliseconds that an acknowledgement may be under way before more room is made. */
const ackDelay = 10;
/** Subscriptions of one band at most: each adds room; then they are made one. */
const mostSubscriptions = 8;
/** Milliseconds of silence after which no more is asked for than is wanted. */
const silence = 250;

/**
 * Asks the server for as much as is wanted, and waits for it. The server sends without being asked as long as fewer are
 * unsettled than a subscription allows; so what is allowed follows what is wanted, and a busy worker gets no more than it
 * can start.
 */
export async function demand(intake: Intake, { room, window, wakeable, signal }: Demand): Promise<void> {
  if (!intake.isSubscribed) {
    await intake.subscribe(bands, room);
    if (!signal.aborted) await settleIn(wakeable, signal);
    return;
  }
  const exhausted = bands.filter((band) => intake.creditOf(band).left <= 0);
  if (exhausted.length === 0) {
    await wakeable.wait(signal, silence);
    if (!signal.aborted && isQuiet(intake) && isTooMuch(intake, room)) await intake.unsubscribe();
    return;
  }
  const isLarge = exhausted.some((band) => 2 * room >= intake.creditOf(band).total);
  if (!isLarge) {
    await wakeable.wait(signal, ackDelay);
    if (signal.aborted || intake.buffered > 0 || !intake.isAlive) return;
  }
  const still = exhausted.filter((band) => intake.creditOf(band).left <= 0);
  if (still.length > 0) await makeRoom(intake, still, { room, window });
}

/** Fetches up to `room`, in turns. Answers whether anything came. */
export async function fetchFew(intake: Intake, room: number, turns: Turns): Promise<boolean> {
  let dry: readonly Band[] = [];
  while (intake.buffered < room && dry.length < bands.length) {
    const band = turns.next(bands.filter((one) => !dry.includes(one)));
    if (!(await intake.fetch(band))) dry = [...dry, band];
  }
  return intake.buffered > 0;
}

async function makeRoom(
  intake: Intake,
  exhausted: readonly Band[],
  { room, window }: { readonly room: number; readonly window: number },
): Promise<void> {
  const total = Math.max(...exhausted.map((band) => intake.creditOf(band).total));
  const more = Math.min(room, Math.max(1, window - total));
  if (intake.subscriptionsOf(exhausted[0] as Band) < mostSubscriptions) return intake.subscribe(exhausted, more);
  await intake.unsubscribe();
  await intake.subscribe(bands, Math.min(window, total + more));
}

function isQuiet(intake: Intake): boolean {
  return (
    intake.isAlive &&
    intake.buffered === 0 &&
    bands.every((band) => performance.now() - intake.lastArrival(band) > silence)
  );
}

function isTooMuch(intake: Intake, room: number): boolean {
  return bands.some((band) => intake.creditOf(band).left > 2 * room);
}

function settleIn(wakeable: Wakeable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      wakeable.wake();
      resolve();
    };
    const timer = setTimeout(end, settlingIn);
    signal.addEventListener("abort", end, { once: true });
  });
}
