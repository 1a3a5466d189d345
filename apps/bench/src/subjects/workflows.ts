import {
  chain,
  chord,
  createClient,
  createWorker,
  defineTask,
  type GroupResults,
  map,
  silentLogger,
} from "@taskferry/core";
import { countdown, type Payload, type Phase, pump, type Setting, type Subject } from "../subject.ts";

const steps = 3;
const noop = defineTask<Payload, Payload>("noop");
/** A number, for ten thousand payloads are too many for one input. */
const member = defineTask<number, number>("member");
const count = defineTask<GroupResults<readonly number[]>, number>("count");

/** `count` steps of chains of three, which wait when the clock starts; the steps after the first are enqueued by it. */
export const chains: Subject = {
  process: async (setting) => {
    const total = Math.ceil(setting.count / steps) * steps;
    const client = await createClient({ broker: setting.url });
    const workflow = chain(noop, noop, noop);
    await pump(total / steps, setting.inFlight, () => client.enqueue(workflow, setting.payload));
    await client.close();
    const { done, tick } = countdown(total);
    const worker = createWorker({
      broker: setting.url,
      handlers: [
        noop.handler((input) => {
          tick();
          return input;
        }),
      ],
      queues: queuesOf(setting),
      logger: silentLogger,
    });
    return {
      run: async () => {
        await worker.start();
        await done;
        await worker.stop();
      },
      close: () => worker.stop(),
    };
  },
};

/** `count` members of groups of `size`, one group after the other, each with a task that reads all its results. */
export function groupsOf(size: number): Subject {
  return { process: (setting) => processGroups(size, setting) };
}

async function processGroups(size: number, setting: Setting): ReturnType<Phase> {
  const worker = createWorker({
    broker: setting.url,
    handlers: [
      member.handler((input) => input),
      count.handler(async (results) => {
        let seen = 0;
        for await (const _ of results) seen += 1;
        return seen;
      }),
    ],
    queues: queuesOf(setting),
    logger: silentLogger,
  });
  await worker.start();
  const client = await createClient({ broker: setting.url });
  const workflow = chord(map(member), count);
  const input = Array.from({ length: size }, (_, index) => index);
  const runGroup = async (): Promise<void> => {
    const handle = await client.enqueue(workflow, input);
    const seen = await handle.result({ timeout: "5m" });
    if (seen !== size) throw new Error(`Expected the results of ${size} members, got ${seen}.`);
  };
  return {
    run: () => pump(Math.ceil(setting.count / size), 1, runGroup),
    close: async () => void (await Promise.all([client.close(), worker.stop()])),
  };
}

function queuesOf({ concurrency }: Setting) {
  return { default: { concurrency } };
}
