/** What a suite gets to play with: one system of its own, empty at first. Made anew for every test. */
export interface Harness<TValue, TOperation extends string> {
  /**
   * A value as one process would hold it, not connected yet: the suite calls its `connect()` and `close()`. Each call
   * gives a value of its own, all on the same data. What lives in one process gives the same value.
   */
  connect(): TValue | Promise<TValue>;

  /** Frees what the harness holds. The suite has closed all values before. */
  dispose(): Promise<void>;

  /** Kills the server, or whatever holds the data, with SIGKILL, and starts it again on the same data. */
  restart?(): Promise<void>;

  /** Connections are reset and new ones refused, from `begin` to `end`. The data stays. */
  readonly outage?: Interruption;

  /** Connections stay open, yet nothing passes, from `begin` to `end`. */
  readonly freeze?: Interruption;

  /**
   * Swallows the server's next reply to this operation, once the server has done it, and resets the connection.
   * Resolves once that is prepared; the suite then calls the operation.
   */
  cutNextReply?(operation: TOperation): Promise<void>;
}

export interface Interruption {
  begin(): Promise<void>;
  end(): Promise<void>;
}

const faults = ["restart", "outage", "freeze", "cutNextReply"] as const;

/** What a harness may be unable to do, whatever it is for. */
export type Fault = (typeof faults)[number];

/** What a suite tells of the one test for which it wants a harness. */
export interface HarnessRequest {
  /**
   * Whether the test uses one of the faults of `Fault`. What a harness connects may wait longer for its server where
   * none is used: it need not give up within the test, and a busy machine then fails nothing.
   */
  readonly interrupts: boolean;
}

/** What to tell of a test with these needs. */
export function requestFor(needs: readonly string[]): HarnessRequest {
  return { interrupts: needs.some((need) => (faults as readonly string[]).includes(need)) };
}

/** Throws unless the harness offers what a rule needs: what is left out is left out with a reason, in `cannot`. */
export function expectOffered<TName extends string>(harness: Partial<Record<TName, unknown>>, name: TName): void {
  if (harness[name] !== undefined) return;
  throw new Error(
    `Expected the harness to offer ${name}. Give it one, or say in \`cannot: { ${name}: "why" }\` why there can be none.`,
  );
}
