import { createClient, createWorker, silentLogger } from "@taskferry/core";
import { type Finished, runInProcess } from "./fake-terminal.ts";
import { createProject, type Project } from "./project.ts";

const handlers = `
import { defineTask } from "@taskferry/core";
const numbers = {
  "~standard": { version: 1, vendor: "test", validate: (value) =>
    typeof value?.a === "number" ? { value } : { issues: [{ message: "a is no number", path: ["a"] }] } },
};
export const add = defineTask("math.add", { queue: "sums", input: numbers, retry: { attempts: 3 }, timeout: "5s", priority: 6 });
export const onAdd = add.handler(({ a, b }) => a + b);
export const onFail = defineTask("math.fail").handler(() => { throw new Error("no luck at redis://me:canary@host"); });
`;

/** Runs commands in this process, in a project over a broker in memory. */
export interface Shell {
  readonly broker: string;
  readonly project: Project;
  run(...args: string[]): Promise<Finished>;
  ask(answer: string, ...args: string[]): Promise<Finished>;
}

/** A project over a broker in memory, which lives as long as the client here holds it. */
export async function withShell(use: (shell: Shell) => Promise<void>): Promise<void> {
  const broker = `memory:${crypto.randomUUID()}`;
  await using project = await createProject({
    "taskferry.config.mjs": `export default { broker: "${broker}", handlers: ["./handlers.mjs"] };`,
    "handlers.mjs": handlers,
  });
  await using _ = await createClient({ broker });
  const cwd = project.folder;
  await use({
    broker,
    project,
    run: (...args) => runInProcess(args, { cwd }),
    ask: (input, ...args) => runInProcess(args, { cwd, input, isTTY: true, env: { NO_COLOR: "1" } }),
  });
}

/** Runs a worker with the handlers of the project's module until these tasks are settled. */
export async function work({ broker, project }: Shell, ids: readonly string[]): Promise<void> {
  const { onAdd, onFail } = await import(/* @vite-ignore */ `${project.folder}/handlers.mjs`);
  const config = { broker, handlers: [onAdd, onFail], logger: silentLogger, queues: { sums: {}, default: {} } };
  await using worker = createWorker(config);
  const open = new Set(ids);
  const settled = new Promise<void>((resolve) => {
    worker.on((event) => {
      if (event.type !== "task.succeeded" && event.type !== "task.failed") return;
      open.delete(event.id);
      if (open.size === 0) resolve();
    });
  });
  await worker.start();
  await settled;
}
