import { openHistory } from "../../../total-queue/history-writer.ts";
import { createFaultWorker } from "./fault-worker.ts";
import type { WorkerMessage } from "./messages.ts";
import { loadConfigure, readSettings, type WorkerSettings } from "./settings.ts";
import { failToStart } from "./start-failure.ts";

const tell = (message: WorkerMessage): void => void process.send?.(message);

async function main(): Promise<void> {
  const settings = readSettings<WorkerSettings>();
  const configure = await loadConfigure(settings.module);
  using history = openHistory(settings.history, "worker");
  const worker = createFaultWorker(settings, {
    configure,
    history,
    onExecuted: (id) => tell({ type: "executed", id }),
    onEvent: (event) => {
      if (event.type === "worker.started") tell({ type: "ready", historyPath: history.path });
      else if (settings.tellsEvents) tell({ type: "event", event });
    },
  });
  await worker.run();
}

main().catch(failToStart);
