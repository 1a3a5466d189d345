import { createProject, type Project } from "./project.ts";

const config = `
import { defineConfig } from "@taskferry/core";
enum Place { Here = "sqlite:data/queue.db" }
const broker: string = process.env.TASKFERRY_BROKER ?? Place.Here;
export default defineConfig({ broker, handlers: ["./src/handlers.ts"] });
`;

const tasks = `
import { defineTask } from "@taskferry/core";
export const greet = defineTask<{ name: string }, string>("greet", { queue: "greetings" });
export const wait = defineTask("wait");
export const linger = defineTask("linger");
export const stray = defineTask<string, void>("stray");
`;

/** `SIGUSR2` lets a waiting handler go. What handlers print, a test waits for. */
export function handlersOf(greeting: string): string {
  return `
import { once } from "node:events";
import { greet, linger, stray, wait } from "./tasks.js";

export const onGreet = greet.handler(({ name }) => \`${greeting}, \${name}!\`);
export const onWait = wait.handler(async () => {
  const going = once(process, "SIGUSR2");
  console.log(\`a handler waits in \${process.pid}.\`);
  await going;
});
export const onLinger = linger.handler(async (_, { signal }) => {
  console.log("a handler lingers");
  await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
});
export const onStray = stray.handler(async (how) => {
  if (how === "rejection") void Promise.reject(new Error("forgotten"));
  else process.nextTick(() => { throw new Error("uncaught"); });
});
`;
}

/** An application in TypeScript, with sources that need more than their types stripped. */
export async function createApplication(): Promise<Project> {
  return await createProject({
    "taskferry.config.ts": config,
    "src/tasks.ts": tasks,
    "src/handlers.ts": handlersOf("Hello"),
  });
}
