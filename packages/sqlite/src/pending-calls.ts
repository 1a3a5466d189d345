import { cancelled, FileFault, interrupted, timedOut } from "./file-fault.ts";
import type { Answer, Fault, ThreadRequest } from "./protocol.ts";
import { createSentCalls, type PendingCall } from "./sent-calls.ts";

type Post = (request: ThreadRequest, transfer: readonly ArrayBuffer[]) => void;

/** The calls of this process on one file that are not answered. Those of one moment are sent together. */
export interface PendingCalls {
  add(pending: PendingCall): void;
  cancel(number: number): void;
  settle(answers: readonly Answer[]): void;
  /** There is a thread now: what waited for one is sent. */
  attach(post: Post): void;
  /** The thread is lost: what waits without limit is sent to the next one, the rest fails. */
  detach(): void;
  /** Fails all that is left. */
  end(fault: Fault): void;
}

export function createPendingCalls(): PendingCalls {
  const unsent = new Map<number, PendingCall>();
  const sent = createSentCalls();
  /** Watches that were answered, and go on to bring changes. */
  const watches = new Map<number, PendingCall>();
  let post: Post | undefined;
  let isScheduled = false;

  const flush = (): void => {
    isScheduled = false;
    if (post === undefined || unsent.size === 0) return;
    const calls = [...unsent.values()];
    unsent.clear();
    for (const pending of calls) sent.add(pending);
    const transfer = calls.flatMap((pending) => pending.transfer);
    post({ type: "calls", calls: calls.map(({ call }) => call) }, transfer);
  };
  const settleOne = (answer: Answer): void => {
    const [number, kind, value] = answer;
    if (kind === "changes") return watches.get(number)?.onChanges?.(value);
    const pending = sent.settle(number);
    if (kind === "failed") return pending?.reject(new FileFault(value));
    if (pending?.onChanges !== undefined) watches.set(number, pending);
    pending?.resolve(value);
  };
  const add = (pending: PendingCall): void => {
    unsent.set(pending.call[0], pending);
    if (post === undefined) limit(unsent, pending);
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(flush);
  };
  const cancel = (number: number): void => {
    watches.delete(number);
    const waiting = unsent.get(number);
    if (unsent.delete(number)) waiting?.reject(new FileFault(cancelled));
    else post?.({ type: "cancel", number }, []);
  };
  const detach = (): void => {
    post = undefined;
    sent.stop();
    for (const pending of [...sent.drain(), ...watches.values()]) {
      if (pending.timeout === undefined) unsent.set(pending.call[0], pending);
      else pending.reject(new FileFault(interrupted));
      pending.onChanges?.("gap");
    }
    watches.clear();
  };
  return {
    add,
    cancel,
    settle: (answers) => answers.forEach(settleOne),
    attach: (newPost) => {
      post = newPost;
      sent.start();
      flush();
    },
    detach,
    end: (fault) => {
      for (const pending of [...unsent.values(), ...sent.drain()]) pending.reject(new FileFault(fault));
      unsent.clear();
      watches.clear();
    },
  };
}

/** Without a thread, a call waits for one as long as its timeout. */
function limit(unsent: Map<number, PendingCall>, pending: PendingCall): void {
  if (pending.timeout === undefined) return;
  const giveUp = (): void => {
    if (unsent.delete(pending.call[0])) pending.reject(new FileFault(timedOut));
  };
  setTimeout(giveUp, pending.timeout).unref();
}
