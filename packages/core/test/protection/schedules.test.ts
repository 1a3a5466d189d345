import { expect, test } from "vitest";
import { createClient, defineSchedule, defineTask, type StateStore } from "../../src/index.ts";
import { decodeSchedule, encodeSchedule, scheduleKey, turnKey } from "../../src/schedules/record.ts";
import { noon, schedulerStage } from "../scheduler/setup.ts";
import { eventually } from "../worker/setup.ts";
import { oneSecret, scene } from "./setup.ts";

const report = defineTask<{ of: string }, string>("report");
const every = (id: string, of: string) => defineSchedule(id, { every: "1s", overlap: "skip" }, report, { of });

test("a schedule that nobody signed fires nothing, and stands in nobody's way", async () => {
  const { broker, client: forger, start, clock, fires, waiting } = await schedulerStage();
  const state = broker.companions?.results?.().state?.() as StateStore;
  for (const id of ["forged", "daily"]) {
    await forger.schedules.create(every(id, "forger"));
    const [entry] = await state.get([scheduleKey(id)]);
    const value = encodeSchedule({ ...decodeSchedule(entry?.value ?? new Uint8Array()), cursor: noon });
    await state.put([{ key: scheduleKey(id), value }]);
  }
  const believer = await start([]);
  clock.advance(1_000);
  await eventually(async () => expect(await fires(), "unsigned, they do fire").toEqual([1, 1]));
  await believer.stop();
  await forger.queues.purge("default", "ready");

  const signatures = oneSecret();
  const client = await createClient({ broker, signatures });
  expect(await client.schedules.list()).toEqual([]);
  await start([every("daily", "client")], { signatures });
  for (const second of [2, 3, 4]) {
    clock.advance(1_000);
    await eventually(async () => expect((await fires()).at(-1)).toBe(second));
  }
  expect((await waiting()).map(({ body }) => JSON.parse(Buffer.from(body).toString()))).toEqual(
    [2, 3, 4].map(() => ({ of: "client" })),
  );
  expect((await waiting()).every(({ signature }) => signature !== undefined)).toBe(true);
  expect((await client.schedules.list()).map(({ id }) => id)).toEqual(["daily"]);
  await client.close();
});

test("a note that nobody signed keeps no fire from running", async () => {
  const { client, worker, state } = await scene({ signatures: oneSecret() });
  const from = await client();
  await from.schedules.create(every("daily", "day"));
  const turn = { fire: "other", run: 0, worker: "forger", isDone: false };
  await state.put([{ key: turnKey("daily"), value: Buffer.from(JSON.stringify(turn)) }]);
  await worker([report.handler(({ of }) => of)]);
  const { id } = await from.schedules.trigger("daily");
  expect(await from.handle(report, id).result({ timeout: "10s" })).toBe("day");
});
