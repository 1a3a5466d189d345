import { packBytes } from "../packed-bytes.ts";
import type { Call } from "../protocol.ts";
import type { Answers } from "./answers.ts";
import { createResultWaits } from "./results.ts";
import type { Session } from "./session.ts";
import { createTakers, type Takers } from "./takers.ts";
import { createWakeUp } from "./wake-up.ts";
import { createWatches } from "./watches.ts";

/** What is answered when something comes, from this process or another. */
export interface Waits {
  readonly takers: Takers;
  begin(call: WaitCall): void;
  cancel(number: number): void;
  /** Outcomes or entries may have been written by this process. */
  check(): void;
  stop(): void;
}

export type WaitCall = Call<"take"> | Call<"awaitResult"> | Call<"watch">;

export interface WaitParts {
  readonly path: string;
  /** The connection that writes. */
  readonly session: Session;
  readonly reader: Session;
  readonly answers: Answers;
  /** Asks for a transaction for those who take. */
  readonly wakeWriter: () => void;
}

export function createWaits({ path, session, reader, answers, wakeWriter }: WaitParts): Waits {
  const takers = createTakers(reader, wakeWriter);
  const results = createResultWaits(reader);
  const watches = createWatches(reader);
  const check = (): void => {
    results.check();
    watches.check();
  };
  const wakeUp = createWakeUp({
    session,
    path,
    isWanted: () => takers.count() + results.count() + watches.count() > 0,
    onChange: () => {
      takers.notice();
      check();
    },
  });
  const begin = (call: WaitCall): void => {
    // First listen, then look: what comes in between is not missed.
    wakeUp.start();
    const [number] = call;
    switch (call[1]) {
      case "take":
        return takers.add(number, { ...call[3], ...answerTake(number, answers) });
      case "awaitResult":
        return results.add(number, {
          ...call[3],
          succeed: (bytes) => {
            const { views, buffer } = packBytes([bytes]);
            answers.send([number, "done", views[0]], [buffer]);
          },
        });
      case "watch": {
        const tell = watches.add(number, {
          ...call[3],
          tell: (news) => answers.send([number, "changes", news]),
        });
        return answers.send([number, "done", tell]);
      }
    }
  };
  const cancel = (number: number): void => {
    takers.cancel(number);
    results.cancel(number);
    watches.cancel(number);
  };
  const stop = (): void => {
    wakeUp.stop();
    takers.stop();
  };
  return { takers, begin, cancel, check, stop };
}

function answerTake(number: number, answers: Answers): Pick<Parameters<Takers["add"]>[1], "succeed" | "fail"> {
  return {
    succeed: (messages) => {
      const { views, buffer } = packBytes(messages.map(({ bytes }) => bytes));
      answers.send([number, "done", messages.map((message, index) => ({ ...message, bytes: views[index] }))], [buffer]);
    },
    fail: (fault) => answers.send([number, "failed", fault]),
  };
}
