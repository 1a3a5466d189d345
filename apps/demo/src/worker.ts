// The worker process: takes tasks from the queue and does the heavy work. Run as many as there are cores to spare.
import { createWorker } from "@taskferry/core";
import config from "../taskferry.config.ts";
import { onProcessPicture } from "./handlers.ts";
import { sayLastWords } from "./launch/last-words.ts";
import { tellReady } from "./launch/link.ts";
import { plainLogger } from "./plain-logger.ts";
import { readSettings } from "./settings.ts";

sayLastWords("worker");
const { isVerbose } = readSettings();
const worker = createWorker({ ...config, handlers: [onProcessPicture], logger: plainLogger("worker") });
worker.on((event) => {
  if (event.type === "worker.started") tellReady();
  if (event.type === "task.executed" && isVerbose)
    console.log(`worker ${event.task} ${event.id} took ${Math.round(event.duration)} ms`);
});
if (process.connected) process.once("disconnect", () => void worker.stop());
await worker.run();
if (process.connected) process.disconnect();
