// `npm run demo`: starts the web process and the worker process, and ends when one of them does.
import config from "../taskferry.config.ts";
import { runCheck } from "./check/run-check.ts";
import { type Application, startApplication } from "./launch/application.ts";
import { help, type Options, parseOptions, UsageError } from "./launch/options.ts";
import { drawSamples } from "./samples/draw-samples.ts";
import { drawnSamples, readSettings } from "./settings.ts";

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError;
  console.error(isUsage ? `${error.message}\n\n${help}` : error instanceof Error ? error.message : error);
  process.exitCode = isUsage ? 2 : 1;
}

async function main(): Promise<number> {
  // npm runs scripts in the package's folder, and says here where the user is.
  const options = parseOptions(process.argv.slice(2), process.env.INIT_CWD ?? process.cwd());
  if (options.help) {
    console.log(help);
    return 0;
  }
  return options.check === undefined ? await serve(options) : await runCheck(options.check);
}

async function serve({ host, port }: Options): Promise<number> {
  const settings = readSettings();
  if (settings.samplesFolder === drawnSamples) await drawSamples();
  const application = await startApplication({
    ...settings,
    host: host ?? settings.host,
    port: port ?? settings.port,
    isVerbose: true,
  });
  greet(application);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, application.signal);
  process.on("SIGHUP", () => application.signal("SIGTERM"));
  const broken = await Promise.race([application.broken, application.ended.then(() => undefined)]);
  if (broken === undefined) return 0;
  console.error(`${broken} Stopping the other one.`);
  await application.stop();
  return 1;
}

function greet({ url, web, worker }: Application): void {
  const broker = config.broker.startsWith("sqlite:") ? config.broker : config.broker.split(":", 1)[0];
  console.log(`
  taskferry demo, over ${broker}

  web process     ${String(web.pid).padEnd(8)} ${url}
  worker process  ${String(worker.pid).padEnd(8)} takes tasks from the queue "pictures"

  Drop pictures on the page. Ctrl-C ends both processes.
`);
}
