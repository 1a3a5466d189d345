import type { Session } from "./session.ts";

export type SequenceName = "message" | "dead" | "result" | "revision" | "forgotten";

/** What a piece of work may use while it is part of a write transaction. */
export interface Transaction {
  readonly session: Session;
  /** Wall-clock epoch milliseconds, the same for all of the transaction. */
  readonly now: number;
  /** The next number of a sequence. No number is given out twice, and a later transaction gives higher ones. */
  next(sequence: SequenceName): number;
  /** Sets a sequence to at least `value`. */
  raise(sequence: SequenceName, value: number): void;
}

/**
 * Runs `work` in one write transaction: all of it or nothing.
 *
 * @throws what `work` threw, and `SQLITE_BUSY` when another connection is writing; nothing was run then.
 */
export function transact<T>(session: Session, work: (transaction: Transaction) => T): T {
  session.execute("BEGIN IMMEDIATE");
  try {
    const sequences = new Map<SequenceName, number>();
    const last = (name: SequenceName): number => sequences.get(name) ?? readSequence(session, name);
    const result = work({
      session,
      now: Date.now(),
      next: (name) => {
        const value = last(name) + 1;
        sequences.set(name, value);
        return value;
      },
      raise: (name, value) => void sequences.set(name, Math.max(last(name), value)),
    });
    for (const [name, value] of sequences) session.run("UPDATE sequences SET value = ? WHERE name = ?", value, name);
    session.execute("COMMIT");
    return result;
  } catch (error) {
    // Some errors have rolled it back already.
    if (session.isInTransaction()) session.execute("ROLLBACK");
    throw error;
  }
}

export function readSequence(session: Session, name: SequenceName): number {
  return session.row<[number]>("SELECT value FROM sequences WHERE name = ?", name)?.[0] ?? 0;
}
