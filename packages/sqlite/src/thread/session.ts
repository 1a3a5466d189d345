import Database from "libsql";
import { createGate, type Gate, passThrough } from "../gate.ts";

/** One connection to the file. Statements are prepared once. Rows come as arrays, in the order of the columns. */
export interface Session {
  /** Runs a statement and says how many rows it changed. */
  run(sql: string, ...values: readonly SqlValue[]): number;
  row<T extends readonly unknown[]>(sql: string, ...values: readonly SqlValue[]): T | undefined;
  rows<T extends readonly unknown[]>(sql: string, ...values: readonly SqlValue[]): readonly T[];
  /** Runs statements without values or rows. */
  execute(sql: string): void;
  isInTransaction(): boolean;
  close(): void;
}

export type SqlValue = number | string | Uint8Array | null;
/** Bytes as the driver gives them: a buffer for a single row, an array buffer for several. */
export type Blob = Uint8Array | ArrayBuffer;

type Statement = Database.Statement<SqlValue[][]>;

export function openSession(path: string, gate: Gate = createGate()): Session {
  const pass = <T>(call: () => T): T => passThrough(gate, call);
  const database = pass(() => new Database(path));
  const statements = new Map<string, Statement>();
  const prepare = (sql: string): Statement => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare<SqlValue[][]>(sql);
    statements.set(sql, statement);
    return statement;
  };
  // A statement that returns rows must be asked for them in raw mode, which one without rows refuses.
  const query = (sql: string): Statement => statements.get(sql) ?? prepare(sql).raw(true);
  return {
    run: (sql, ...values) => pass(() => prepare(sql).run([...values]).changes),
    row: <T extends readonly unknown[]>(sql: string, ...values: readonly SqlValue[]) =>
      pass(() => query(sql).get([...values]) as T | undefined),
    rows: <T extends readonly unknown[]>(sql: string, ...values: readonly SqlValue[]) =>
      pass(() => query(sql).all([...values]) as unknown as readonly T[]),
    execute: (sql) => void pass(() => database.exec(sql)),
    isInTransaction: () => pass(() => database.inTransaction),
    close: () => void pass(() => database.close()),
  };
}

export function toBytes(blob: Blob): Uint8Array {
  return blob instanceof ArrayBuffer ? new Uint8Array(blob) : blob;
}

/** The result code of SQLite that an error carries, such as `SQLITE_BUSY`, or an empty string. */
export function resultCode(error: unknown): string {
  if (!(error instanceof Error)) return "";
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

export function isBusy(error: unknown): boolean {
  return resultCode(error).startsWith("SQLITE_BUSY");
}
