import { Worker } from "node:worker_threads";
import { isolateEntry, toMegabytes } from "./entry.ts";
import type { SpawnIsolate } from "./isolate.ts";
import { type PackedBatch, packRequests, unpackReports } from "./packed-batch.ts";

/** @param maxMemory - bytes that its JavaScript may hold; `undefined`: Node's own limit. */
export function threads(maxMemory: number | undefined): SpawnIsolate {
  const limits = maxMemory === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: toMegabytes(maxMemory) } };
  return ({ onReports, onExit }) => {
    const worker = new Worker(isolateEntry(), { name: "taskferry-handlers", ...limits });
    let fault: unknown;
    worker.on("message", (reports: PackedBatch) => onReports(unpackReports(reports)));
    worker.on("messageerror", (error) => {
      fault = error;
      void worker.terminate();
    });
    worker.on("error", (error) => {
      fault = error;
    });
    worker.once("exit", (code) => onExit(describe(fault, code, maxMemory), fault));
    return {
      name: `thread ${worker.threadId}`,
      post: (requests) => worker.postMessage(packRequests(requests)),
      kill: async () => void (await worker.terminate()),
    };
  };
}

function describe(fault: unknown, code: number, maxMemory: number | undefined): string {
  if (fault === undefined) return `ended with code ${code}`;
  if ((fault as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY") {
    const limit = maxMemory === undefined ? "" : ` of ${toMegabytes(maxMemory)} MB (\`isolation.maxMemory\`)`;
    return `ran out of its memory${limit}`;
  }
  return `ended by an error that nobody caught: ${fault instanceof Error ? fault.message : String(fault)}`;
}
