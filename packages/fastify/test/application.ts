import { createWorker, defineTask, memory, silentLogger, type Worker } from "@taskferry/core";
import Fastify, { type FastifyInstance } from "fastify";
import { onTestFinished } from "vitest";
import { type TaskferryOptions, taskferry } from "../src/index.ts";

export const square = defineTask<number, number>("square");
export const steps = defineTask<number, string>("steps");
export const hang = defineTask("hang");
export const boom = defineTask("boom");

export interface Application {
  readonly app: FastifyInstance;
  readonly url: string;
  readonly worker: Worker;
}

/** Lets anybody do anything. */
export const open = { authorize: () => true };

/** An application on a port of its own, and a worker. */
export async function serve(
  setUp: (app: FastifyInstance) => void,
  options: Partial<TaskferryOptions> = {},
  { afterFirstStep = Promise.resolve() }: { readonly afterFirstStep?: Promise<void> } = {},
): Promise<Application> {
  const broker = memory();
  const worker = createWorker({
    broker,
    logger: silentLogger,
    shutdown: { timeout: 0, grace: 100 },
    handlers: [
      square.handler((value) => value ** 2),
      steps.handler(async (count, { progress }) => {
        for (let step = 1; step <= count; step += 1) {
          progress(step / count, `step ${step}`);
          await afterFirstStep;
        }
        return "all taken";
      }),
      hang.handler(
        (_, { signal }) =>
          new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      ),
      boom.handler(() => {
        throw new RangeError("boom", { cause: new Error("a secret") });
      }),
    ],
  });
  await worker.start();
  const app = Fastify();
  await app.register(taskferry, {
    routes: open,
    ...(options.client === undefined && { config: { broker } }),
    ...options,
  });
  setUp(app);
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(async () => {
    await app.close();
    await worker.stop({ timeout: 0 });
  });
  return { app, url, worker };
}

/** What a stream of server-sent events says, until it ends. */
export async function* readEvents(
  response: Response,
): AsyncGenerator<{ readonly event: string; readonly data: unknown }> {
  let text = "";
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) };
    }
  }
}
