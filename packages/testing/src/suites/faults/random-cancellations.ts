import type { Handle, WorkerEvent } from "@taskferry/core";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import { type HistoryWriter, openHistory } from "../../total-queue/history-writer.ts";
import { Waiters } from "../../waiters.ts";
import { elapse } from "../patience.ts";
import type { WorkerHistory } from "./cancelled-runs.ts";
import { type Actor, expectSound, type Moment, moments, type Played } from "./cancelled-tasks.ts";
import type { FaultScene } from "./fault-scene.ts";
import { HeardWorker } from "./heard-worker.ts";
import { spread } from "./programs/messages.ts";
import { unsteady, work } from "./programs/tasks.ts";

interface Play {
  readonly scene: FaultScene;
  readonly history: HistoryWriter;
  /** What all workers tell, and have told: a type of event and the id of its task. */
  readonly told: Waiters<string>;
  readonly before: Set<string>;
}

/** Those that are cancelled as they wait are there before any worker is: half end before one is, half as workers start. */
export async function cancelAtRandom(scene: FaultScene): Promise<void> {
  const { count, kills, over } = scene.scale.cancellations;
  using history = openHistory(scene.history, "canceller");
  const events: WorkerEvent[] = [];
  const play: Play = { scene, history, told: new Waiters<string>(), before: new Set<string>() };
  const crew = new Crew(scene, (event) => {
    events.push(event);
    if (!("id" in event)) return;
    const what = `${event.type} ${event.id}`;
    play.before.add(what);
    play.told.announce(what);
  });
  const numbers = Array.from({ length: count }, (_, index) => index);
  const waiting = await Promise.all(numbers.filter((n) => aimOf(n) === "pending").map((n) => enter(play, n)));
  const early = await Promise.all(waiting.filter((_, index) => index % 2 === 0).map(cancel));
  const late = waiting.filter((_, index) => index % 2 === 1).map(cancel);
  await crew.start();
  const others = numbers
    .filter((n) => aimOf(n) !== "pending")
    .map(async (n) => {
      await elapse(spread([0, over], n));
      const actor = await enter(play, n);
      if (actor.aim === undefined) return { ...actor, call: undefined };
      await reach(play, actor);
      return cancel(actor);
    });
  await crew.killNowAndThen(kills, over);
  const played = await Promise.all([...early, ...late, ...others].map(async (called) => conclude(play, await called)));
  await scene.expectDepth({ dead: 0 });
  await crew.stop();
  const verdict = await assertTotalQueue(scene.history, { repeats: count });
  const figures = await expectSound(scene, { played, events, workers: crew.histories });
  scene.report(verdict, { kills, ...figures });
}

function aimOf(index: number): Moment | undefined {
  return moments[index % (moments.length + 1)];
}

/** Those that are still in the midst of it however slow the machine is: a third. */
function isLong(index: number): boolean {
  return Math.floor(index / (moments.length + 1)) % 3 === 0;
}

async function enter({ scene, history }: Play, index: number): Promise<Actor> {
  const client = await scene.sharedClient();
  const id = `random-${index}`;
  const aim = aimOf(index);
  const delay = aim === "delayed" ? (isLong(index) ? 6_000 : spread([200, 1_500], index)) : 0;
  const milliseconds =
    aim === "running" && isLong(index) ? 10_000 : spread(aim === "finishing" ? [5, 50] : [5, 800], index);
  history.record("attempted", id);
  const options = { id, queue: scene.queue, ...(delay > 0 && { delay }) };
  const delayedUntil = delay === 0 ? 0 : Date.now() + delay;
  const handle: Handle = await client.enqueue(aim === "retrying" ? unsteady : work, milliseconds, options);
  history.record("acknowledged", id);
  return { id, index, aim, isForced: index % 3 === 1, milliseconds, delayedUntil, handle };
}

/** Waits until it is about to be, or is, in the midst of what it is aimed at. It may end before. */
async function reach({ told, before }: Play, { id, index, aim, milliseconds, handle }: Actor): Promise<void> {
  const until = async (type: WorkerEvent["type"]): Promise<void> => {
    const what = `${type} ${id}`;
    if (!before.has(what)) await Promise.race([told.wait(what, (other) => other === what), handle.outcome()]);
  };
  const isOdd = index % 2 === 1;
  switch (aim) {
    case "delayed":
      return elapse(spread([0, 600], index));
    case "starting":
      return isOdd ? until("task.received") : undefined;
    case "running":
      await until("task.started");
      return elapse(spread([0, Math.min(400, milliseconds / 2)], index));
    case "retrying":
      return until("task.retrying");
    case "finishing":
      if (isOdd) return until("task.executed");
      await until("task.started");
      return elapse(milliseconds);
    default:
      return undefined;
  }
}

async function cancel(actor: Actor): Promise<Actor & Pick<Played, "call">> {
  const at = Date.now();
  const reason = `cancelled ${actor.index}`;
  const answer = await (actor.isForced
    ? actor.handle.cancel(reason, { mode: "force", grace: 100 })
    : actor.handle.cancel(reason));
  return { ...actor, call: { at, answeredAt: Date.now(), answer } };
}

async function conclude({ history }: Play, called: Actor & Pick<Played, "call">): Promise<Played> {
  const outcome = await called.handle.outcome();
  if (outcome.status === "cancelled") history.record("cancelled", called.id);
  return { ...called, outcome };
}

/** Two workers, of which one is killed now and then, and another takes its place. */
class Crew {
  readonly histories: WorkerHistory[] = [];
  readonly #scene: FaultScene;
  readonly #onEvent: (event: WorkerEvent) => void;
  #workers: HeardWorker[] = [];

  constructor(scene: FaultScene, onEvent: (event: WorkerEvent) => void) {
    this.#scene = scene;
    this.#onEvent = onEvent;
  }

  async start(): Promise<void> {
    this.#workers = await Promise.all([this.#hire(), this.#hire()]);
  }

  async killNowAndThen(kills: number, over: number): Promise<void> {
    for (let kill = 0; kill < kills; kill += 1) {
      await elapse(over / kills);
      const victim = this.#workers.shift();
      if (victim === undefined) return;
      const killedAt = Date.now();
      await victim.kill();
      this.histories.push({ path: victim.historyPath, killedAt });
      this.#workers.push(await this.#hire());
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    for (const { historyPath } of this.#workers) this.histories.push({ path: historyPath, killedAt: undefined });
  }

  #hire(): Promise<HeardWorker> {
    return HeardWorker.start(this.#scene, {}, this.#onEvent);
  }
}
