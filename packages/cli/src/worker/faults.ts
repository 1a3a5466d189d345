import type { Logger } from "@taskferry/core";

export interface Faults {
  readonly logger: Logger;
  /** Called once, when the process can no longer be trusted. */
  readonly onFatal: () => void;
}

/**
 * Keeps a stray fault of one task from taking its neighbours down. A promise that was rejected and forgotten is logged,
 * and the worker goes on; after an error that nobody caught it stops gracefully. Returns a function that listens no more.
 */
export function listenForFaults({ logger, onFatal }: Faults): () => void {
  let isOver = false;
  const onRejection = (error: unknown): void => {
    logger.error({ error }, "a promise was rejected and nobody waited for it: some code lacks an await or a catch");
  };
  const onException = (error: unknown): void => {
    logger.error({ error }, "an error was thrown outside of any handler: the worker stops");
    if (isOver) return;
    isOver = true;
    onFatal();
  };
  process.on("unhandledRejection", onRejection).on("uncaughtException", onException);
  return () => {
    process.off("unhandledRejection", onRejection).off("uncaughtException", onException);
  };
}
