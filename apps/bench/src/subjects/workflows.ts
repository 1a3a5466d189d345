import {
  type Client,
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

/** `count` tasks, enqueued one by one while they are worked on: what chains are compared with. */
export const independent: Subject = {
  process: (setting) =>
    measureWhole(setting, setting.count, (client) =>
      pump({ count: setting.count, inFlight: setting.inFlight }, () => client.enqueue(noop, setting.payload)),
    ),
};

/** `count` steps of chains of three, whose first steps are enqueued one by one while they are worked on. */
export const chains: Subject = {
  process: (setting) => {
    const total = Math.ceil(setting.count / steps);
    const workflow = chain(noop, noop, noop);
    return measureWhole(setting, total * steps, (client) =>
      pump({ count: total, inFlight: setting.inFlight }, () => client.enqueue(workflow, setting.payload)),
    );
  },
};

/** From the first enqueue until `total` tasks have run and been settled, client and worker in one process. */
async function measureWhole(
  setting: Setting,
  total: number,
  enqueueAll: (client: Client) => Promise<void>,
): ReturnType<Phase> {
  const client = await createClient({ broker: setting.url });
  const { done, tick } = countdown({ count: total, onWarm: setting.onWarm });
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
  await worker.start();
  return {
    run: async () => {
      await Promise.all([enqueueAll(client), done]);
      await worker.stop();
    },
    close: () => client.close(),
  };
}

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
    run: () => pump({ count: Math.ceil(setting.count / size), inFlight: 1, onWarm: setting.onWarm }, runGroup),
    close: async () => void (await Promise.all([client.close(), worker.stop()])),
  };
}

function queuesOf({ concurrency }: Setting) {
  return { default: { concurrency } };
}
