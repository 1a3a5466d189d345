/** What a process of the demo tells the launcher once it does its work. */
export interface ReadyMessage {
  readonly type: "ready";
  /** The web process's address. */
  readonly url?: string;
}

/** Tells the launcher, where there is one. */
export function tellReady(message: Omit<ReadyMessage, "type"> = {}): void {
  process.send?.({ type: "ready", ...message } satisfies ReadyMessage);
}

/** Calls `stop` once when asked to end: by a signal, or because the launcher is gone, however it went. */
export function onStopAsked(stop: () => void): void {
  process.once("SIGINT", stop).once("SIGTERM", stop);
  if (process.connected) process.once("disconnect", stop);
}
