import { createScheduler, defineSchedule } from "@taskferry/core";
import type { SchedulerMessage } from "./messages.ts";
import { loadConfigure, type ProgramSettings, readSettings } from "./settings.ts";
import { failToStart } from "./start-failure.ts";
import { tick } from "./tasks.ts";

const tell = (message: SchedulerMessage): void => void process.send?.(message);

async function main(): Promise<void> {
  const settings = readSettings<ProgramSettings>();
  const configure = await loadConfigure(settings.module);
  const schedule = defineSchedule(
    "tick",
    { every: "1s", misfire: { grace: "30s" }, enqueue: { queue: settings.queue } },
    tick,
  );
  const scheduler = createScheduler({
    ...configure(settings.place),
    startTimeout: settings.startTimeout,
    schedules: [schedule],
  });
  await scheduler.start();
  process.once("SIGTERM", () => {
    scheduler.stop().then(() => process.disconnect(), failToStart);
  });
  tell({ type: "ready" });
}

main().catch(failToStart);
