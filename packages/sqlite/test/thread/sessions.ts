import { migrate } from "../../src/thread/schema.ts";
import { openSession, type Session } from "../../src/thread/session.ts";
import { type TemporaryFile, temporaryFile } from "../temporary-file.ts";

/** A file with its tables, and connections to it as the thread has them. */
export interface Sessions {
  readonly file: TemporaryFile;
  readonly writer: Session;
  readonly reader: Session;
  close(): Promise<void>;
}

export function openSessions(): Sessions {
  const file = temporaryFile();
  const writer = openSession(file.path);
  migrate(writer);
  writer.execute("PRAGMA journal_mode = WAL");
  const reader = openSession(file.path);
  const close = async (): Promise<void> => {
    writer.close();
    reader.close();
    await file.remove();
  };
  return { file, writer, reader, close };
}
