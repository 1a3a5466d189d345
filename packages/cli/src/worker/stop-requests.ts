import { codeOfSignal } from "../exit-code.ts";
import { stopMessage } from "./supervision.ts";

export interface StopRequests {
  /** Called once, at the first request. */
  readonly onStop: (why: string) => void;
  /** Whether another process of ours watches over this one and passes signals on. */
  readonly isSupervised: boolean;
}

/**
 * Listens for requests to stop: SIGINT, SIGTERM, and, under supervision, a message or the end of the supervisor. The
 * first begins a graceful stop; a second signal ends the process at once. Returns a function that listens no more.
 */
export function listenForStop({ onStop, isSupervised }: StopRequests): () => void {
  let isStopping = false;
  const stop = (why: string): void => {
    if (isStopping) return;
    isStopping = true;
    onStop(why);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (isStopping && (signal === "SIGINT" || signal === "SIGTERM")) process.exit(codeOfSignal(signal));
    stop(signal);
  };
  // Ctrl-C reaches the whole group: under supervision the supervisor decides what it means.
  const onInterrupt = (signal: NodeJS.Signals): void => (isSupervised ? undefined : onSignal(signal));
  const onMessage = (message: unknown): void => {
    if (message === stopMessage) stop("the supervisor");
  };
  const onDisconnect = (): void => stop("the end of the supervisor");

  // A supervisor answers SIGHUP by replacing its workers; one that reaches the whole group must not end them.
  const onHangUp = (): void => undefined;
  process.on("SIGINT", onInterrupt).on("SIGTERM", onSignal);
  if (isSupervised) process.on("message", onMessage).on("disconnect", onDisconnect).on("SIGHUP", onHangUp);
  return () => {
    process
      .off("SIGINT", onInterrupt)
      .off("SIGTERM", onSignal)
      .off("message", onMessage)
      .off("disconnect", onDisconnect)
      .off("SIGHUP", onHangUp);
  };
}
