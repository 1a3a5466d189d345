import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Application, startApplication } from "../launch/application.ts";
import { type CheckOptions, UsageError } from "../launch/options.ts";
import { drawSamples } from "../samples/draw-samples.ts";
import { drawnSamples, readSettings } from "../settings.ts";
import { startLatencyMeter } from "./latency-meter.ts";
import { latencyLine, table, type Verdict } from "./report.ts";
import { sendPictures } from "./send-pictures.ts";
import { verify } from "./verify.ts";

/** `--check`: the whole way of every picture of a folder, without a browser. Answers the exit code. */
export async function runCheck({ folder, mode }: CheckOptions): Promise<number> {
  if (folder === undefined) await drawSamples();
  const paths = await filesOf(folder ?? drawnSamples);
  // A folder and a queue of its own, so that a demo which runs beside it is not disturbed.
  const place = await mkdtemp(join(tmpdir(), "taskferry-demo-"));
  const env = process.env.TASKFERRY_BROKER ? {} : { TASKFERRY_BROKER: `sqlite:${join(place, "queue.db")}` };
  try {
    const settings = { ...readSettings(), dataFolder: join(place, "pictures"), host: "127.0.0.1", port: 0 };
    const application = await startApplication({ ...settings, samplesFolder: place }, env);
    const pass = (signal: NodeJS.Signals): void => application.signal(signal);
    process.on("SIGINT", pass).on("SIGTERM", pass);
    try {
      return await check(application, { paths, mode });
    } finally {
      await application.stop();
    }
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

async function check(
  { url, web, worker, broken, ended }: Application,
  { paths, mode }: { readonly paths: readonly string[]; readonly mode: CheckOptions["mode"] },
): Promise<number> {
  console.log(`web process ${web.pid} on ${url}, worker process ${worker.pid}: sending ${paths.length} files`);
  const meter = startLatencyMeter(`${url}/api/ping`);
  const begun = performance.now();
  const interrupted = Promise.race([broken, ended.then(() => "The check was stopped.")]).then((reason): never => {
    throw new Error(reason);
  });
  const working = Promise.race([sendPictures(url, paths, mode), interrupted]);
  const sent = await working.finally(meter.stop);
  const seconds = (performance.now() - begun) / 1000;
  const latencies = await meter.read();

  const verdicts: Verdict[] = [];
  for (const one of sent) verdicts.push({ ...one, fault: await verify(url, one) });
  const came = verdicts.filter(({ fault }) => fault === undefined).length;
  console.log(`\n${table(verdicts)}\n`);
  console.log(latencyLine(latencies, mode));
  console.log(`${came} of ${paths.length} pictures came out, in ${seconds.toFixed(1)} s.`);
  return came === paths.length && latencies.failures === 0 ? 0 : 1;
}

/** The files of a folder, by name; hidden ones and what lies in its folders are left out. */
async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`--check: cannot read the folder ${folder} (${error.code}).`);
  });
  const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith(".")).map(({ name }) => name);
  if (names.length === 0)
    throw new UsageError(`--check: expected a folder with pictures, and ${folder} holds no file.`);
  return names.toSorted().map((name) => join(folder, name));
}
