import type { Config } from "@taskferry/core";
import { type FoundHandlers, findHandlers } from "@taskferry/core";
import type { LoadModule } from "../module-loader.ts";
import { createCheck, type Finding } from "./finding.ts";

export interface CheckedHandlers {
  readonly found: FoundHandlers;
  readonly findings: readonly Finding[];
}

/** Loads the handlers and holds them against the tasks and the queues of the configuration. */
export async function checkHandlers(
  config: Config & { readonly root: string },
  loadModule: LoadModule,
): Promise<CheckedHandlers> {
  const check = createCheck("handlers");
  const found = await findHandlers(config, loadModule);
  const handled = new Set(found.handlers.map(({ handler }) => handler.task.name));
  for (const { message } of found.problems)
    check.failure(message, "Correct the module, or its path in `handlers`; --stack shows more.");
  if (handled.size > 0) check.ok(`${handled.size} found: ${[...handled].sort().join(", ")}`);
  else if (found.problems.length === 0)
    check.warning(
      "none: a worker would have nothing to run",
      "Set `handlers` to modules that export values made by task.handler(fn).",
    );
  for (const { name } of found.tasks.filter((task) => !handled.has(task.name))) {
    check.warning(
      `the task "${name}" is exported without a handler`,
      "Export its handler, made by task.handler(fn), or leave the task out of these modules.",
    );
  }
  for (const finding of findUnservedQueues(config, found)) check.warning(finding.message, finding.advice);
  return { found, findings: check.findings };
}

function findUnservedQueues(
  { queues }: Config,
  { handlers }: FoundHandlers,
): readonly { readonly message: string; readonly advice: string }[] {
  if (queues === undefined) return [];
  return handlers
    .map(({ handler: { task } }) => task)
    .filter(({ options }) => !Object.hasOwn(queues, options.queue))
    .map(({ name, options: { queue } }) => ({
      message: `the task "${name}" waits in the queue "${queue}", which \`queues\` leaves out`,
      advice: `Add ${queue} to \`queues\`, unless other workers serve it.`,
    }));
}
