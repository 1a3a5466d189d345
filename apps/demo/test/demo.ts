import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type SpawnedProcess, spawnProcess } from "@taskferry/testing";
import { draw } from "./pictures.ts";

const launcher = new URL("../dist/src/start.js", import.meta.url);

export interface LaunchOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Starts the launcher as `npm run demo` does: what is built, in a process of its own. */
export async function launch({ args = [], env = {} }: LaunchOptions): Promise<SpawnedProcess> {
  if (!existsSync(launcher))
    throw new Error("The demo is not built. Run: pnpm turbo run build --filter=@taskferry/demo...");
  return await spawnProcess(launcher, {
    args,
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { TASKFERRY_BROKER: undefined, INIT_CWD: undefined, ...env },
  });
}

/** The running demo, with its uploads and its queue in a folder of its own. */
export interface Demo extends AsyncDisposable {
  readonly url: string;
  readonly process: SpawnedProcess;
  readonly webPid: number;
  readonly workerPid: number;
  /** Starts it again on the same folder. The one before must have ended. */
  again(): Promise<Demo>;
}

export async function startDemo(existing?: string): Promise<Demo> {
  const folder = existing ?? (await mkdtemp(join(tmpdir(), "taskferry-demo-test-")));
  const samples = join(folder, "samples");
  await mkdir(samples, { recursive: true });
  for (const name of ["first.png", "second.jpg"]) await draw(300, 200).toFile(join(samples, name));
  const process = await launch({
    args: ["--port", "0"],
    env: {
      TASKFERRY_BROKER: `sqlite:${join(folder, "queue.db")}`,
      TASKFERRY_DEMO_DATA: join(folder, "pictures"),
      TASKFERRY_DEMO_SAMPLES: samples,
    },
  });
  const [, webPid, url] = await process.waitForOutput(/web process\s+(\d+)\s+(http:\S+)/, { timeout: "50s" });
  const [, workerPid] = await process.waitForOutput(/worker process\s+(\d+)/);
  return {
    url: url as string,
    process,
    webPid: Number(webPid),
    workerPid: Number(workerPid),
    again: () => startDemo(folder),
    [Symbol.asyncDispose]: async () => {
      await process.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
