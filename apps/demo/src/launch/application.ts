import { type Settings, toEnvironment } from "../settings.ts";
import { type Child, startChild } from "./child.ts";

/** The running application: a web process and a worker process. */
export interface Application {
  readonly url: string;
  readonly web: Child;
  readonly worker: Child;
  /** Resolves when one of them ends without having been asked, with a sentence about it. */
  readonly broken: Promise<string>;
  /** Resolves when both have ended. */
  readonly ended: Promise<void>;
  /** Passes a signal on to both: the first asks them to end, a second hurries them. */
  signal(name: NodeJS.Signals): void;
  /** Ends both, and resolves when they have ended. */
  stop(): Promise<void>;
}

/** @param env - more of the environment, for both. */
export async function startApplication(settings: Settings, env: NodeJS.ProcessEnv = {}): Promise<Application> {
  const environment = { ...toEnvironment(settings), ...env };
  const web = startChild({ title: "web process", entry: new URL("../web.js", import.meta.url), env: environment });
  const worker = startChild({
    title: "worker process",
    entry: new URL("../worker.js", import.meta.url),
    env: environment,
    // The heavy work takes what is left of the processor: whoever waits for an answer comes first.
    isPatient: true,
  });
  const children = [web, worker];
  const ended = Promise.all(children.map((child) => child.ended)).then(() => undefined);
  let isAsked = false;
  const signal = (name: NodeJS.Signals): void => {
    isAsked = true;
    for (const child of children) child.signal(name);
  };
  const stop = async (): Promise<void> => {
    if (!isAsked) signal("SIGTERM");
    await ended;
  };
  const broken = new Promise<string>((resolve) => {
    for (const { title, ended: end } of children) void end.then((how) => isAsked || resolve(`The ${title} ${how}.`));
  });
  try {
    const [{ url = "" }] = await Promise.all([web.ready, worker.ready]);
    return { url, web, worker, broken, ended, signal, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
