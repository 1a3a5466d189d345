import type { Section } from "../protocol.ts";
import { drop } from "./queue.ts";
import type { Session } from "./session.ts";
import type { Transaction } from "./transaction.ts";

/** A row of a queue by its number. */
export interface Row {
  readonly queue: string;
  readonly section: Section;
  readonly sequence: number;
}

/** Where the rows of a section are. A delayed one that is due and a lease that is over wait for a worker: they are ready. */
const tables: Readonly<Record<Section, readonly string[]>> = {
  ready: [
    "ready WHERE queue = ?1 AND band IN (0, 1, 2) AND sequence = ?2 AND ?3 > 0",
    "delayed WHERE queue = ?1 AND sequence = ?2 AND due <= ?3",
    "leases WHERE queue = ?1 AND sequence = ?2 AND until <= ?3",
  ],
  delayed: ["delayed WHERE queue = ?1 AND sequence = ?2 AND due > ?3"],
  running: ["leases WHERE queue = ?1 AND sequence = ?2 AND until > ?3"],
  dead: ["dead WHERE queue = ?1 AND sequence = ?2 AND ?3 > 0"],
};

export function isInSection(session: Session, { queue, section, sequence }: Row): boolean {
  const now = Date.now();
  return tables[section].some((rows) => session.row(`SELECT 1 FROM ${rows}`, queue, sequence, now) !== undefined);
}

/** Removes a row; its id is recognised until `forgetAt`. Says whether it was there. */
export function removeRow(transaction: Transaction, { queue, section, sequence }: Row, forgetAt: number): boolean {
  const { session, now } = transaction;
  const isRemoved = tables[section].some((rows) => session.run(`DELETE FROM ${rows}`, queue, sequence, now) > 0);
  if (isRemoved && section !== "dead") drop(session, { queue, sequence, forgetAt });
  return isRemoved;
}

export interface Purge {
  readonly queue: string;
  readonly section: Section;
  /** The highest number to remove: what comes while it goes on stays. */
  readonly upTo: number;
  readonly limit: number;
}

/** The numbers of some rows of a section. */
export function findRows({ session, now }: Transaction, { queue, section, upTo, limit }: Purge): readonly number[] {
  const find = (rows: string): readonly number[] =>
    session
      .rows<[number]>(`SELECT sequence FROM ${rows} AND sequence <= ?2 AND ?3 > 0 LIMIT ?4`, queue, upTo, now, limit)
      .map(([sequence]) => sequence);
  switch (section) {
    case "ready":
      return [
        ...[0, 1, 2].flatMap((band) => find(`ready WHERE queue = ?1 AND band = ${band}`)),
        ...find("delayed WHERE queue = ?1 AND due <= ?3"),
        ...find("leases WHERE queue = ?1 AND until <= ?3"),
      ].slice(0, limit);
    case "delayed":
      return find("delayed WHERE queue = ?1 AND due > ?3");
    case "running":
      return [];
    case "dead":
      return find("dead WHERE queue = ?1");
  }
}
