import type { ConnectionConfig } from "@taskferry/core";

/** Where one test plays. Plain data: it goes to every process of the test. */
export interface FaultPlace {
  /** A directory of the test's own, for what keeps files. Removed after the test. */
  readonly directory: string;
  /** The address of the test's server; that of a proxy in front of it for the processes. Absent where there is none. */
  readonly url?: string;
}

/** Makes what all processes of a test share: broker, results and state, in that place. Each process calls it once. */
export type Configure = (place: FaultPlace) => ConnectionConfig;
