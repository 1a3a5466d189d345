import { isTaskferryError } from "@taskferry/core";

/** Ends this process on a fault that nothing caught: in one line where the message is all that one needs. */
export function sayLastWords(who: string): void {
  process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
    const isPlain = isTaskferryError(error) || error.syscall !== undefined;
    console.error(who.padEnd(6), isPlain ? error.message : error);
    process.exit(1);
  });
}
