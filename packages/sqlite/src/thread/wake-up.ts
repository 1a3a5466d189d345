import { type FSWatcher, watch } from "node:fs";
import { isBusy, type Session } from "./session.ts";

export interface WakeUpParts {
  /** The connection that writes: it sees what all others do, and not what it does itself. */
  readonly session: Session;
  readonly path: string;
  /** Whether anybody waits for what other processes write. */
  readonly isWanted: () => boolean;
  readonly onChange: () => void;
}

/** Tells when another process has written to the file. */
export interface WakeUp {
  /** To be told when somebody begins to wait. */
  start(): void;
  stop(): void;
}

/** Milliseconds between looks that make up for what a watch misses. */
const slowPoll = 500;
/** Milliseconds between looks where there is no watch, or none to rely on. */
const fastPoll = 20;
/** Milliseconds without anybody who waits after which it stops looking. */
const idleTime = 1_000;
/** A write shows in the log before it is committed: milliseconds after which to look again. */
const echoes = [1, 4, 16];

/**
 * The operating system tells that the write-ahead log has changed; the data version, which costs microseconds, tells
 * whether another process has committed. Looking at it now and then makes up for what a watch misses.
 */
export function createWakeUp({ session, path, isWanted, onChange }: WakeUpParts): WakeUp {
  let watcher: FSWatcher | undefined;
  let poll: NodeJS.Timeout | undefined;
  let echo: NodeJS.Timeout | undefined;
  let version = readVersion(session);
  let wantedAt = 0;
  let step = 0;

  const look = (): void => {
    const current = readVersion(session);
    if (current === undefined || current === version) return;
    version = current;
    onChange();
  };
  const lookAndListen = (): void => {
    look();
    const pause = echoes[step];
    step += 1;
    echo = pause === undefined ? undefined : setTimeout(lookAndListen, pause);
  };
  const onLog = (): void => {
    const isSoon = echo !== undefined && step === 1;
    step = isSoon ? 1 : 0;
    if (isSoon) return;
    clearTimeout(echo);
    lookAndListen();
  };
  const tick = (): void => {
    if (isWanted()) wantedAt = performance.now();
    if (performance.now() - wantedAt > idleTime) return stop();
    look();
    poll = setTimeout(tick, isReliable(watcher) ? slowPoll : fastPoll);
  };
  const dropWatcher = (): void => {
    watcher?.close();
    watcher = undefined;
  };
  const stop = (): void => {
    clearTimeout(poll);
    clearTimeout(echo);
    poll = undefined;
    echo = undefined;
    dropWatcher();
  };
  const start = (): void => {
    wantedAt = performance.now();
    if (poll !== undefined) return;
    watcher = watchLog(`${path}-wal`, onLog);
    watcher?.on("error", dropWatcher);
    // What was written while nobody looked is seen by whoever begins to wait now, when it reads.
    version = readVersion(session);
    poll = setTimeout(tick, isReliable(watcher) ? slowPoll : fastPoll);
  };
  return { start, stop };
}

/** `undefined` while another process mends what a killed one left. */
function readVersion(session: Session): number | undefined {
  try {
    return session.row<[number]>("PRAGMA data_version")?.[0];
  } catch (error) {
    if (isBusy(error)) return undefined;
    throw error;
  }
}

/** `undefined` where the system has no watches left: looking often must do. */
function watchLog(path: string, onLog: () => void): FSWatcher | undefined {
  try {
    return watch(path, { persistent: false }, onLog);
  } catch {
    return undefined;
  }
}

/** Windows tells of a write when the file is closed or flushed, which may be much later. */
function isReliable(watcher: FSWatcher | undefined): boolean {
  return watcher !== undefined && process.platform !== "win32";
}
