import type { Setting, Subject } from "./subject.ts";
import { subjects } from "./subjects.ts";

export type PhaseName = keyof Subject;

/** What a measuring process is asked. */
export interface Order {
  readonly subject: string;
  readonly phase: PhaseName;
  readonly setting: Omit<Setting, "onWarm">;
}

/** What it answers. Times in milliseconds; CPU of the measuring process alone. */
export interface Measurement {
  readonly milliseconds: number;
  /** The share of the tasks that was measured: the others came before the clock started. */
  readonly share: number;
  readonly cpuMilliseconds: number;
  readonly rssMegabytes: number;
  /** Sorted; of round trips alone. */
  readonly latencies?: readonly number[];
}

/** Round trips that only warm up: until the compiler has done its work, what has more code is measured as slower. */
const warmUps = 10_000;

/** Measures one phase of one subject in this process. */
export async function measure({ subject: name, phase, setting }: Order): Promise<Measurement> {
  const subject = subjects[name]?.subject;
  if (phase === "roundTrip") return measureRoundTrips(subject?.roundTrip, setting);
  let [start, cpu, share] = [0, process.cpuUsage(), 1];
  const onWarm = (rest: number): void => {
    [start, cpu, share] = [performance.now(), process.cpuUsage(), rest];
  };
  const timed = await subject?.[phase]?.({ ...setting, onWarm });
  if (timed === undefined) throw new Error(`${name} has no phase ${phase}`);
  await timed.run();
  const milliseconds = performance.now() - start;
  const measurement = { milliseconds, share, ...resources(cpu) };
  await timed.close();
  return measurement;
}

async function measureRoundTrips(phase: Subject["roundTrip"], setting: Order["setting"]): Promise<Measurement> {
  if (phase === undefined) throw new Error("no round trips");
  const { once, close } = await phase({ ...setting, onWarm: () => undefined });
  for (let index = 0; index < warmUps; index += 1) await once();
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let index = 0; index < setting.count; index += 1) {
    const begin = performance.now();
    await once();
    latencies.push(performance.now() - begin);
  }
  const milliseconds = performance.now() - start;
  const measurement = { milliseconds, share: 1, ...resources(cpu), latencies: latencies.sort((a, b) => a - b) };
  await close();
  return measurement;
}

function resources(since: NodeJS.CpuUsage): { readonly cpuMilliseconds: number; readonly rssMegabytes: number } {
  const { user, system } = process.cpuUsage(since);
  return { cpuMilliseconds: (user + system) / 1_000, rssMegabytes: Math.round(process.resourceUsage().maxRSS / 1_024) };
}
