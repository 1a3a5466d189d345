import type { Session } from "./session.ts";

/** Says in the header of the file whose it is: "tfry". */
const applicationId = 0x74667279;

/** How the file came to its layout, one step a version. A step that was released never changes. */
const migrations: readonly string[] = [
  `
  -- The last number given out, by what it numbers.
  CREATE TABLE sequences (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO sequences VALUES ('message', 0), ('dead', 0), ('result', 0), ('revision', 0), ('forgotten', 0);

  -- Every message in a queue, once. Which section it is in is told by the one of the three tables below that has its number.
  CREATE TABLE messages (sequence INTEGER PRIMARY KEY, key TEXT, bytes BLOB NOT NULL) STRICT;
  CREATE TABLE ready (
    queue TEXT NOT NULL, band INTEGER NOT NULL, sequence INTEGER NOT NULL, deliveries INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (queue, band, sequence)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE delayed (
    sequence INTEGER PRIMARY KEY, queue TEXT NOT NULL, due INTEGER NOT NULL,
    band INTEGER NOT NULL, deliveries INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX delayed_due ON delayed (queue, due);
  CREATE TABLE leases (
    sequence INTEGER PRIMARY KEY, queue TEXT NOT NULL, until INTEGER NOT NULL, owner TEXT NOT NULL,
    band INTEGER NOT NULL, deliveries INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX leases_until ON leases (queue, until);

  -- The id:run:hop of every message in a queue, and of those that left it until forget_at.
  CREATE TABLE seen (
    queue TEXT NOT NULL, key TEXT NOT NULL, sequence INTEGER NOT NULL, forget_at INTEGER, PRIMARY KEY (queue, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX seen_forget_at ON seen (forget_at) WHERE forget_at IS NOT NULL;

  CREATE TABLE dead (
    sequence INTEGER PRIMARY KEY, queue TEXT NOT NULL, id TEXT, bytes BLOB NOT NULL,
    code TEXT NOT NULL, message TEXT NOT NULL, at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX dead_queue ON dead (queue);
  CREATE INDEX dead_id ON dead (id) WHERE id IS NOT NULL;

  -- The way in for programs without this package: INSERT INTO inbox (queue, bytes) VALUES ('default', x'...').
  CREATE VIEW inbox (queue, bytes) AS
    SELECT ready.queue, messages.bytes FROM ready JOIN messages ON messages.sequence = ready.sequence;
  CREATE TRIGGER inbox_insert INSTEAD OF INSERT ON inbox BEGIN
    UPDATE sequences SET value = value + 1 WHERE name = 'message';
    INSERT INTO messages (sequence, bytes) SELECT value, NEW.bytes FROM sequences WHERE name = 'message';
    INSERT INTO ready (queue, band, sequence) SELECT NEW.queue, 1, value FROM sequences WHERE name = 'message';
  END;

  CREATE TABLE results (
    sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, run INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, bytes BLOB NOT NULL
  ) STRICT;
  CREATE INDEX results_expires_at ON results (expires_at);

  -- A value of NULL: deleted, and kept until expires_at so that watchers hear of it.
  CREATE TABLE entries (
    key BLOB PRIMARY KEY, value BLOB, revision INTEGER NOT NULL UNIQUE, expires_at INTEGER
  ) STRICT;
  CREATE INDEX entries_expires_at ON entries (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE counters (key BLOB PRIMARY KEY, value REAL NOT NULL, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX counters_expires_at ON counters (expires_at);
  CREATE TABLE members (
    key BLOB NOT NULL, member BLOB NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (key, member)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX members_expires_at ON members (expires_at);
  `,
];

/** The version of the layout that this package writes. */
const schemaVersion: number = migrations.length;

/** The file cannot be used as it is, and waiting does not help. */
export class UnusableFile extends Error {
  override readonly name = "UnusableFile";
}

/**
 * Brings the file to the layout of this package, under the write lock, so that of several processes one does it.
 *
 * @throws UnusableFile
 */
export function migrate(session: Session): void {
  if (isUpToDate(session)) return;
  session.execute("BEGIN IMMEDIATE");
  try {
    const version = readUsableVersion(session);
    for (const step of migrations.slice(version)) session.execute(step);
    session.execute(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}`);
    session.execute("COMMIT");
  } catch (error) {
    if (session.isInTransaction()) session.execute("ROLLBACK");
    throw error;
  }
}

function isUpToDate(session: Session): boolean {
  return (
    readNumber(session, "PRAGMA application_id") === applicationId &&
    readNumber(session, "PRAGMA user_version") === schemaVersion
  );
}

function readUsableVersion(session: Session): number {
  const owner = readNumber(session, "PRAGMA application_id");
  const version = readNumber(session, "PRAGMA user_version");
  const isEmpty = readNumber(session, "SELECT count(*) FROM sqlite_schema") === 0;
  if (owner !== applicationId && !(isEmpty && owner === 0)) {
    throw new UnusableFile("it is a database of another program. Choose a path of its own.");
  }
  if (version > schemaVersion) {
    throw new UnusableFile(
      `its layout has version ${version}, and this @taskferry/sqlite knows versions up to ${schemaVersion}. Update @taskferry/sqlite in this process.`,
    );
  }
  return version;
}

function readNumber(session: Session, sql: string): number {
  return session.row<[number]>(sql)?.[0] ?? 0;
}
