import { Agent, get } from "node:http";

/** Milliseconds between the starts of two requests, whether the one before was answered or not. */
const interval = 20;

export interface Latencies {
  readonly requests: number;
  readonly failures: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Asks a cheap endpoint again and again, at a fixed pace, and takes the time. */
export interface LatencyMeter {
  /** Asks no more. */
  stop(): void;
  /** After `stop`: waits for the last answers, and answers in milliseconds. */
  read(): Promise<Latencies>;
}

export function startLatencyMeter(url: string): LatencyMeter {
  const agent = new Agent({ keepAlive: true });
  const times: number[] = [];
  let failures = 0;
  const open = new Set<Promise<void>>();
  const ask = (): void => {
    const asked = measure(url, agent).then(
      (time) => void times.push(time),
      () => {
        failures += 1;
      },
    );
    open.add(asked);
    void asked.then(() => open.delete(asked));
  };
  ask();
  const timer = setInterval(ask, interval);
  return {
    stop: () => clearInterval(timer),
    read: async () => {
      await Promise.all(open);
      agent.destroy();
      const sorted = times.toSorted((a, b) => a - b);
      return {
        requests: sorted.length,
        failures,
        p50: percentile(sorted, 50),
        p99: percentile(sorted, 99),
        max: sorted.at(-1) ?? Number.NaN,
      };
    },
  };
}

function measure(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    get(url, { agent }, (response) => {
      response.resume();
      response.once("end", () => {
        if (response.statusCode === 200) resolve(performance.now() - begun);
        else reject(new Error(`${url} answered ${response.statusCode}.`));
      });
    }).once("error", reject);
  });
}

/** The smallest of the sorted times that at least `percent` per cent are not above. */
function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}
