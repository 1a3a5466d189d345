import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { ThreadReport, ThreadRequest, ThreadStart } from "../protocol.ts";
import { createAnswers } from "./answers.ts";
import { toFault } from "./fault.ts";
import { openFile } from "./open-file.ts";
import { serveFile } from "./serve-file.ts";

/** The entry of the thread that runs all statements of this process on one file. */
async function run(port: MessagePort, options: ThreadStart): Promise<void> {
  const report = (news: ThreadReport): void => port.postMessage(news);
  try {
    const file = await openFile(options);
    const answers = createAnswers(port);
    const server = serveFile({ file, options, answers, onUnusable: (fault) => end({ type: "unusable", fault }) });
    const end = (news?: ThreadReport): void => {
      server.close();
      if (news !== undefined) report(news);
      port.close();
    };
    port.on("message", (request: ThreadRequest) => {
      if (request.type === "calls") for (const call of request.calls) server.call(call);
      else if (request.type === "cancel") server.cancel(request.number);
      else void server.finish().then(() => end());
    });
    report({ type: "ready", warnings: file.warnings });
  } catch (error) {
    report({ type: "unusable", fault: toFault(error) });
    port.close();
  }
}

if (parentPort !== null) void run(parentPort, workerData as ThreadStart);
