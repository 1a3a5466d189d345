import { onTestFinished } from "vitest";
import {
  type Broker,
  type Client,
  type Clock,
  createClient,
  createScheduler,
  type Message,
  memory,
  type Schedule,
  type Scheduler,
  type SchedulerEvent,
  type Signatures,
  type StateStore,
  silentLogger,
} from "../../src/index.ts";

/** A clock that a test turns by hand. */
export interface FakeClock extends Clock {
  /** Time goes by. */
  advance(milliseconds: number): void;
  /** The wall clock is set; no time goes by. */
  jump(milliseconds: number): void;
}

function fakeClock(start: number): FakeClock {
  let wall = start;
  let monotonic = 0;
  const timers = new Set<{ readonly at: number; readonly wake: () => void }>();
  return {
    now: () => wall,
    after: (milliseconds, wake) => {
      const timer = { at: monotonic + milliseconds, wake };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance: (milliseconds) => {
      wall += milliseconds;
      monotonic += milliseconds;
      for (const timer of [...timers]) {
        if (timer.at > monotonic || !timers.delete(timer)) continue;
        timer.wake();
      }
    },
    jump: (milliseconds) => {
      wall += milliseconds;
    },
  };
}

export const noon = Date.parse("2026-05-01T12:00:00Z");

export interface SchedulerStage {
  readonly broker: Broker;
  readonly client: Client;
  readonly clock: FakeClock;
  readonly events: readonly SchedulerEvent[];
  start(
    schedules: readonly Schedule[],
    options?: { readonly clock?: FakeClock; readonly state?: StateStore; readonly signatures?: Signatures },
  ): Promise<Scheduler>;
  /** What waits in the queue, in order. */
  waiting(): Promise<readonly Message[]>;
  /** The nominal times of what waits, in seconds after noon. */
  fires(): Promise<readonly number[]>;
}

/** Schedulers on one broker, by one clock, without a worker. */
export async function schedulerStage(broker: Broker = memory()): Promise<SchedulerStage> {
  const client = await createClient({ broker });
  onTestFinished(() => client.close());
  const clock = fakeClock(noon);
  const events: SchedulerEvent[] = [];
  const waiting = async (): Promise<readonly Message[]> => {
    const { entries } = await client.queues.list("default", { section: "ready", limit: 1_000 });
    return entries.flatMap(({ message }) => message ?? []);
  };
  return {
    broker,
    client,
    clock,
    events,
    waiting,
    start: async (schedules, options) => {
      const scheduler = createScheduler({ broker, schedules, clock, logger: silentLogger, ...options });
      scheduler.on((event) => events.push(event));
      onTestFinished(() => scheduler.stop());
      await scheduler.start();
      return scheduler;
    },
    fires: async () =>
      (await waiting()).map(({ headers }) => (Date.parse(headers?.["schedule-time"] ?? "") - noon) / 1_000),
  };
}
