/** How much and how long a suite tries. */
export interface FaultScale {
  /** Tasks of a run in which workers or the server are killed. */
  readonly tasks: number;
  /** How often workers are killed: each time a share of the tasks is executed, or every so many milliseconds. */
  readonly kills: { readonly count: number; readonly every?: number };
  /** Milliseconds in which what runs sees that it is cancelled, its worker being connected. */
  readonly signal: number;
  /** Milliseconds in which another worker begins what a killed one held, once its lease is over. */
  readonly redelivery: number;
  /** Milliseconds between two bursts of a producer, so that there is work for as long as there are kills. */
  readonly pause: number;
  /**
   * Tasks that are delayed at once, the milliseconds over which they are spread, and those that 99 of 100 may be late beside
   * the resolution of the broker.
   */
  readonly delays: { readonly count: number; readonly over: number; readonly late: number };
  /** Tasks that are enqueued and cancelled, the milliseconds over which they are spread, and the workers killed meanwhile. */
  readonly cancellations: { readonly count: number; readonly over: number; readonly kills: number };
  /** Random workflows, and the workers killed meanwhile. */
  readonly workflows: { readonly trees: number; readonly kills: number };
  /** Seconds for which a schedule fires each second, and milliseconds for which a scheduler stands still. */
  readonly schedules: { readonly seconds: number; readonly pause: number };
  /** Tasks with limits, their keys, the workers that share them, and the share of what is allowed that they must reach. */
  readonly limits: { readonly keys: number; readonly tasks: number; readonly workers: number; readonly share: number };
  /** Milliseconds for which connections are reset. */
  readonly resetFor: number;
  /** Milliseconds for which the server is away. */
  readonly away: number;
  /** Milliseconds for one wait, and for one test. */
  readonly patience: number;
  readonly timeout: number;
  /** Whether the figures of each run are printed. */
  readonly isReported: boolean;
}

/** For every test run: each fault a few times. */
export const shortScale: FaultScale = {
  tasks: 1_500,
  kills: { count: 3 },
  // Beside other tests, on a small machine.
  signal: 5_000,
  redelivery: 20_000,
  pause: 0,
  // A stop of the machine makes a fifth of them late.
  delays: { count: 1_000, over: 5_000, late: 2_000 },
  cancellations: { count: 150, over: 4_000, kills: 2 },
  workflows: { trees: 30, kills: 2 },
  schedules: { seconds: 12, pause: 3_000 },
  limits: { keys: 5, tasks: 200, workers: 3, share: 0 },
  resetFor: 4_000,
  away: 3_000,
  patience: 60_000,
  timeout: 90_000,
  isReported: false,
};

/** For a run of some minutes: faults all the while. */
export const soakScale: FaultScale = {
  tasks: 5_000,
  kills: { count: 10, every: 3_000 },
  signal: 500,
  redelivery: 3_000,
  pause: 240,
  delays: { count: 20_000, over: 60_000, late: 1_000 },
  cancellations: { count: 1_000, over: 30_000, kills: 8 },
  workflows: { trees: 200, kills: 10 },
  schedules: { seconds: 120, pause: 10_000 },
  limits: { keys: 50, tasks: 5_000, workers: 8, share: 0.8 },
  resetFor: 30_000,
  away: 60_000,
  patience: 240_000,
  timeout: 300_000,
  isReported: true,
};
