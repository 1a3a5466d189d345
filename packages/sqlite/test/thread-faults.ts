import { type DatabaseThread, type StartThread, startThread } from "../src/database-thread.ts";
import type { OperationName } from "../src/protocol.ts";

/** Threads that a test can lose. */
export interface ThreadFaults {
  readonly start: StartThread;
  /** Ends all of them by force, whatever they were asked to do. */
  killAll(): Promise<void>;
  /** Swallows the next answer to this operation, once it was done, and ends that thread by force. */
  cutNextAnswer(operation: OperationName): void;
}

export function createThreadFaults(): ThreadFaults {
  const threads = new Set<DatabaseThread>();
  let wanted: OperationName | undefined;

  const start: StartThread = async (options, onAnswers) => {
    const numbers = new Set<number>();
    const thread = await startThread(options, (answers) => {
      if (!answers.some(([number]) => numbers.has(number))) return onAnswers(answers);
      wanted = undefined;
      numbers.clear();
      void thread.kill();
    });
    threads.add(thread);
    void thread.ended.then(() => threads.delete(thread));
    return {
      ...thread,
      post: (request, transfer) => {
        if (request.type === "calls") {
          for (const [number, operation] of request.calls) if (operation === wanted) numbers.add(number);
        }
        thread.post(request, transfer);
      },
    };
  };
  return {
    start,
    killAll: async () => void (await Promise.all([...threads].map((thread) => thread.kill()))),
    cutNextAnswer: (operation) => {
      wanted = operation;
    },
  };
}
