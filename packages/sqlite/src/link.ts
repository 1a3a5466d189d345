import { setTimeout as pause } from "node:timers/promises";
import { type Connectable, countedLifecycle, type Unsubscribe } from "@taskferry/core";
import { type DatabaseThread, type StartThread, startThread } from "./database-thread.ts";
import { closed, FileFault } from "./file-fault.ts";
import { createPendingCalls } from "./pending-calls.ts";
import type { Call, Input, OperationName, Output, ThreadOptions, WatchNews } from "./protocol.ts";

/** The way to a file from this process: one thread, whoever uses it. When the thread is lost, another takes its place. */
export interface FileLink extends Connectable {
  readonly isOpen: () => boolean;
  /** What may cost data or time with this file. */
  readonly warnings: () => readonly string[];
  /** @throws FileFault */
  request<K extends OperationName>(operation: K, input: Input<K>, options?: RequestOptions): Promise<Output<K>>;
  /** Told when the thread is lost, and when another has taken its place. */
  on(listener: (event: LinkEvent) => void): Unsubscribe;
}

export interface RequestOptions {
  /** Milliseconds. Absent: it waits for as long as it takes, outages included, and is asked again after them. */
  readonly timeout?: number;
  /** Buffers of the input that are handed over. */
  readonly transfer?: readonly ArrayBuffer[];
  /** Each ends a call that waits. The thread answers with nothing, or with what it has found already. */
  readonly signals?: readonly AbortSignal[];
  /** Told of the changes that a watch brings, until it is cancelled. */
  readonly onChanges?: (news: WatchNews) => void;
  /** Told when it was cancelled. */
  readonly onEnd?: () => void;
  /** Where to leave a way to cancel the call for as long as it waits. */
  readonly cancels?: Set<() => void>;
}

export type LinkEvent = { readonly type: "connected" } | { readonly type: "disconnected"; readonly error: Error };

const shortestPause = 50;
const longestPause = 5_000;

/** @param start - how a thread is started, for tests that want to lose one. */
export function createLink(options: ThreadOptions, start: StartThread = startThread): FileLink {
  const calls = createPendingCalls();
  const listeners = new Set<(event: LinkEvent) => void>();
  let thread: DatabaseThread | undefined;
  let lastNumber = 0;
  let closing = new AbortController();
  let reopening: Promise<void> | undefined;

  const open = async (): Promise<void> => {
    closing = new AbortController();
    await begin();
  };
  const begin = async (): Promise<void> => {
    const started = await start(options, calls.settle);
    thread = started;
    calls.attach(started.post);
    void started.ended.then((fault) => onEnded(new FileFault(fault)));
  };
  const onEnded = (error: FileFault): void => {
    thread = undefined;
    calls.detach();
    if (closing.signal.aborted) return;
    tell({ type: "disconnected", error });
    reopening = reopen(closing.signal);
  };
  const reopen = async (signal: AbortSignal): Promise<void> => {
    for (let attempt = 0; thread === undefined && !signal.aborted; attempt += 1) {
      const longest = Math.min(longestPause, shortestPause * 2 ** attempt);
      try {
        await pause(Math.random() * longest, undefined, { signal });
        await begin();
        tell({ type: "connected" });
      } catch {
        // Whatever the reason is, the next attempt meets it again. Calls fail in their own time meanwhile.
      }
    }
  };
  const shut = async (): Promise<void> => {
    closing.abort();
    await reopening;
    await thread?.stop();
    calls.end(closed);
  };
  const tell = (event: LinkEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const lifecycle = countedLifecycle({ open, shut });

  const request = <K extends OperationName>(
    operation: K,
    input: Input<K>,
    { timeout, transfer = [], onChanges, ...ends }: RequestOptions = {},
  ): Promise<Output<K>> => {
    if (!lifecycle.isOpen()) return Promise.reject(new FileFault(closed));
    lastNumber += 1;
    const number = lastNumber;
    const answer = new Promise<Output<K>>((resolve, reject) => {
      const call = [number, operation, timeout ?? 0, input] as unknown as Call;
      calls.add({ call, transfer, timeout, onChanges, resolve: (output) => resolve(output as Output<K>), reject });
    });
    return cancellable(answer, { ...ends, cancel: () => calls.cancel(number), goesOn: onChanges !== undefined });
  };
  return {
    ...lifecycle,
    warnings: () => thread?.warnings ?? [],
    request,
    on: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

interface Cancellation extends Pick<RequestOptions, "signals" | "cancels" | "onEnd"> {
  readonly cancel: () => void;
  /** The answer is not the end: it goes on to bring changes. */
  readonly goesOn: boolean;
}

/** Cancels a call when a signal aborts, or by `cancels`, until the call is over. */
function cancellable<T>(answer: Promise<T>, ends: Cancellation): Promise<T> {
  const { signals = [], cancels, cancel, goesOn, onEnd } = ends;
  if (signals.length === 0 && cancels === undefined) return answer;
  const forget = (): void => {
    for (const signal of signals) signal.removeEventListener("abort", end);
    cancels?.delete(end);
  };
  const end = (): void => {
    forget();
    cancel();
    onEnd?.();
  };
  for (const signal of signals) signal.addEventListener("abort", end);
  cancels?.add(end);
  if (signals.some((signal) => signal.aborted)) end();
  return goesOn ? answer : answer.finally(forget);
}
