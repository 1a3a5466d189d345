import type { MessagePort } from "node:worker_threads";
import type { Answer, ThreadReport } from "../protocol.ts";

/** Sends answers to the main thread: those of one moment together. */
export interface Answers {
  /** @param transfer - buffers of the answer that are handed over. */
  send(answer: Answer, transfer?: readonly ArrayBuffer[]): void;
}

export function createAnswers(port: MessagePort): Answers {
  let answers: Answer[] = [];
  let buffers: ArrayBuffer[] = [];

  const flush = (): void => {
    port.postMessage({ type: "answers", answers } satisfies ThreadReport, buffers);
    answers = [];
    buffers = [];
  };
  return {
    send: (answer, transfer = []) => {
      if (answers.length === 0) queueMicrotask(flush);
      answers.push(answer);
      buffers.push(...transfer);
    },
  };
}
