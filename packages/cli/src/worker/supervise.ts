import { codeOfSignal } from "../exit-code.ts";
import { Slot, type SlotParts } from "./slot.ts";

export interface SupervisorParts extends SlotParts {
  /** Worker processes to keep. */
  readonly count: number;
}

export interface Supervisor {
  start(): void;
  /** Stops all workers, each replaced by a new one when it has ended. */
  restart(): void;
  /** How many workers take tasks now. */
  readonly ready: number;
  /** What each worker has measured, by its number from 1 on, of those that answer. */
  measure(): Promise<Readonly<Record<string, unknown>>>;
  /** Resolves to the exit code once a signal came and all workers have ended. */
  readonly ended: Promise<number>;
}

/** Milliseconds that workers have to end by themselves at a second signal. */
const haste = 500;
/** Milliseconds that a worker has to tell what it has measured. */
const measureLimit = 2_000;

/**
 * Keeps worker processes running. SIGTERM and SIGINT stop them all in stages, a second one at once; SIGHUP replaces them
 * one after the other.
 */
export function supervise({ count, ...parts }: SupervisorParts): Supervisor {
  const { logger } = parts;
  const slots = Array.from({ length: count }, () => new Slot(parts));
  let isEnding = false;
  let isRolling = false;
  /** The exit code, once a second signal has said it. */
  let hurriedCode: number | undefined;
  let finish: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    finish = resolve;
  });

  const end = (code: number): void => {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal).off("SIGHUP", onHangUp);
    finish(hurriedCode ?? code);
  };
  const onSignal = (signal: "SIGINT" | "SIGTERM"): void => {
    if (isEnding) return hurry(signal);
    isEnding = true;
    logger.info({ signal, pid: process.pid }, "stopping all worker processes");
    void Promise.all(slots.map((slot) => slot.end())).then((wells) => end(wells.every(Boolean) ? 0 : 1));
  };
  const hurry = (signal: "SIGINT" | "SIGTERM"): void => {
    hurriedCode = codeOfSignal(signal);
    // A worker that stops already ends at once at this, and takes its own child processes along.
    for (const slot of slots) slot.kill("SIGTERM");
    setTimeout(() => {
      for (const slot of slots) slot.kill("SIGKILL");
    }, haste).unref();
  };
  const roll = async (): Promise<void> => {
    isRolling = true;
    for (const slot of slots) if (!isEnding) await slot.replace();
    isRolling = false;
    if (!isEnding) logger.info({}, "all worker processes are replaced");
  };
  const onHangUp = (): void => {
    if (isEnding || isRolling) return;
    logger.info({}, "SIGHUP: replacing the worker processes, one after the other");
    void roll();
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal).on("SIGHUP", onHangUp);
  return {
    start: () => {
      for (const slot of slots) slot.start();
    },
    restart: () => {
      for (const slot of slots) slot.restart();
    },
    get ready() {
      return slots.filter(({ isReady }) => isReady).length;
    },
    measure: async () => {
      const snapshots = await Promise.all(slots.map((slot) => slot.measure(measureLimit)));
      const named = snapshots.map((snapshot, index) => [String(index + 1), snapshot] as const);
      return Object.fromEntries(named.filter(([, snapshot]) => snapshot !== undefined));
    },
    ended,
  };
}
