import { setTimeout as sleep } from "node:timers/promises";

const pauseMilliseconds = 20;
const askMilliseconds = 2_000;

export interface ReadinessOptions {
  /** Asks the server once, within 2 seconds at most. Rejects while it is not ready. */
  readonly ask: (signal: AbortSignal) => Promise<void>;
  /** Resolves, with the reason, when there is no use in asking on. */
  readonly ended: Promise<string>;
  readonly timeout: number;
}

/** Asks until the server says yes; `undefined` then, else why it never will. */
export async function failureToBeReady({ ask, ended, timeout }: ReadinessOptions): Promise<string | undefined> {
  const over = new AbortController();
  let lastAnswer = "it was not asked";

  const keepAsking = async (): Promise<undefined> => {
    while (!over.signal.aborted) {
      try {
        return void (await ask(AbortSignal.any([over.signal, AbortSignal.timeout(askMilliseconds)])));
      } catch (error) {
        lastAnswer = error instanceof Error ? error.message : String(error);
      }
      await sleep(pauseMilliseconds);
    }
  };
  const limit = async (): Promise<string> => {
    await sleep(timeout, undefined, { signal: over.signal });
    return `was not ready after ${timeout} ms: ${lastAnswer}`;
  };

  try {
    return await Promise.race([keepAsking(), ended, limit()]);
  } finally {
    over.abort();
  }
}
