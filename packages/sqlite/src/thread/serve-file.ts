import type { Call, Fault, Input, OperationName, ThreadOptions } from "../protocol.ts";
import type { Answers } from "./answers.ts";
import { countSections } from "./depth.ts";
import { toFault } from "./fault.ts";
import { keepHouse } from "./keep-house.ts";
import type { OpenFile } from "./open-file.ts";
import { createReads, type Reads } from "./reads.ts";
import type { Transaction } from "./transaction.ts";
import { createWaits } from "./waits.ts";
import { createWriter, type WriteJob } from "./writer.ts";
import { createWrites, type Writes, weigh } from "./writes.ts";

/** Answers what the main thread asks of one file. */
export interface FileServer {
  call(call: Call): void;
  cancel(number: number): void;
  /** Resolves once all that was asked for is written. */
  finish(): Promise<void>;
  close(): void;
}

export interface FileServerParts {
  readonly file: OpenFile;
  readonly options: ThreadOptions;
  readonly answers: Answers;
  /** The file can be used no longer. */
  readonly onUnusable: (fault: Fault) => void;
}

export function serveFile({ file, options, answers, onUnusable }: FileServerParts): FileServer {
  const { path } = options;
  const { writer: session, reader } = file;
  const waits = createWaits({ path, session, reader, answers, wakeWriter: () => writer.wake() });
  const writer = createWriter(session, waits.takers);
  const reads = createReads(reader);
  const writes = createWrites(options.dedupeWindow, waits.takers.notice);
  const house = keepHouse({ path, reader, writer, onUnusable });
  const count = createCounting(file.inspector, answers);

  const call = (call: Call): void => {
    const [number, operation] = call;
    if (operation === "take" || operation === "awaitResult" || operation === "watch") waits.begin(call);
    else if (operation === "depth") count(number, call[3].queue);
    else if (operation in reads) answer(answers, number, () => read(reads, call));
    else writer.add(toJob(call, writes, { answers, onWritten: waits.check }));
  };
  const close = (): void => {
    waits.stop();
    house.stop();
    for (const connection of [session, reader, file.inspector]) connection.close();
  };
  return { call, cancel: waits.cancel, finish: writer.drain, close };
}

function answer(answers: Answers, number: number, find: () => unknown): void {
  try {
    answers.send([number, "done", find()]);
  } catch (error) {
    answers.send([number, "failed", toFault(error)]);
  }
}

function read(reads: Reads, [, operation, , input]: Call): unknown {
  const find = reads[operation as keyof Reads] as (input: Input<OperationName>) => unknown;
  return find(input);
}

interface WriteParts {
  readonly answers: Answers;
  readonly onWritten: () => void;
}

function toJob(
  [number, operation, timeout, input]: Call,
  writes: Writes,
  { answers, onWritten }: WriteParts,
): WriteJob {
  const execute = writes[operation as keyof Writes] as (
    transaction: Transaction,
    input: Input<OperationName>,
  ) => unknown;
  return {
    deadline: performance.now() + timeout,
    weight: weigh(input),
    execute: (transaction) => execute(transaction, input),
    succeed: (output) => {
      answers.send([number, "done", output]);
      onWritten();
    },
    fail: (fault) => answers.send([number, "failed", fault]),
  };
}

/** One count at a time: each has the connection in a transaction of its own. */
function createCounting(inspector: OpenFile["inspector"], answers: Answers): (number: number, queue: string) => void {
  let last: Promise<void> = Promise.resolve();
  return (number, queue) => {
    last = last
      .then(() => countSections(inspector, queue))
      .then(
        (depth) => answers.send([number, "done", depth]),
        (error: unknown) => answers.send([number, "failed", toFault(error)]),
      );
  };
}
