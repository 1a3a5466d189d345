import { type Client, type Config, ConfigurationError, createClient } from "@taskferry/core";
import { type LoadedConfig, loadConfig } from "./config-file.ts";
import { createModuleLoader, type LoadModule } from "./module-loader.ts";
import { cleanText } from "./output/clean-text.ts";
import { toJson } from "./output/json.ts";
import { createPaint, type Paint } from "./output/paint.ts";
import { createRedact } from "./output/redact.ts";
import type { Terminal } from "./terminal.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly config?: string;
  readonly stack?: boolean;
}

/** One run of the command: what all commands need, and the exit code that they come to. */
export interface Session {
  readonly terminal: Terminal;
  /** What follows `taskferry` on the command line. */
  readonly args: readonly string[];
  readonly loadModule: LoadModule;
  /** Colours of standard output. */
  readonly paint: Paint;
  readonly exitCode: number;
  /** Loads the configuration, once. `tell` gets a line about where it came from when that is not a file. */
  config(tell?: (note: string) => void): Promise<LoadedConfig["config"]>;
  /** The configuration and its file. */
  loaded(): Promise<LoadedConfig>;
  /** A line of the answer, on standard output. */
  print(text: string): void;
  printJson(value: unknown): void;
  /** A line beside the answer, on standard error. */
  note(text: string): void;
  /** Takes the passwords of this configuration out of a text. */
  redact(text: string): string;
  end(code: number): void;
}

export interface SessionParts {
  readonly terminal: Terminal;
  readonly args: readonly string[];
  readonly globals: () => GlobalOptions;
}

export function createSession({ terminal, args, globals }: SessionParts): Session {
  const loadModule = createModuleLoader();
  const paint = createPaint(terminal.stdout, terminal.env);
  const urls = ["TASKFERRY_BROKER", "TASKFERRY_RESULTS", "TASKFERRY_STATE"].flatMap((name) => terminal.env[name] || []);
  let redact = createRedact(urls);
  let loading: Promise<LoadedConfig> | undefined;
  let exitCode = 0;

  const load = async (): Promise<LoadedConfig> => {
    const loaded = await loadConfig({ path: globals().config, terminal, loadModule });
    redact = createRedact([...urls, ...urlsOf(loaded.config)]);
    return loaded;
  };
  const session: Session = {
    terminal,
    args,
    loadModule,
    paint,
    get exitCode() {
      return exitCode;
    },
    loaded: () => (loading ??= load()),
    config: async (tell = session.note) => {
      const { config, note } = await session.loaded();
      if (note !== undefined) tell(note);
      return config;
    },
    print: (text) => void terminal.stdout.write(`${redact(text)}\n`),
    printJson: (value) => void terminal.stdout.write(`${redact(toJson(value))}\n`),
    note: (text) => void terminal.stderr.write(`${redact(cleanText(text))}\n`),
    redact: (text) => redact(text),
    end: (code) => {
      exitCode = code;
    },
  };
  return session;
}

function urlsOf({ broker, results, state }: Config): readonly string[] {
  return [broker, results, state].filter((part) => typeof part === "string" && part !== "") as string[];
}

/** Connects to the broker alone, for commands that look into it. */
export async function withBroker<T>(session: Session, use: (client: Client<false, boolean>) => Promise<T>): Promise<T> {
  const config = await session.config();
  const client = await createClient({ ...config, results: false, state: false, middlewares: [] });
  return await closeAfter(client, use);
}

/** @throws ConfigurationError `RESULTS_UNAVAILABLE` where outcomes are not kept. */
export async function withResults<T>(session: Session, use: (client: Client<true>) => Promise<T>): Promise<T> {
  const { results, ...config } = await session.config();
  if (results === false) {
    throw new ConfigurationError(
      "RESULTS_UNAVAILABLE",
      "The configuration says `results: false`: outcomes are not kept, so there is none to read or to wait for.",
    );
  }
  const client = await createClient({ ...config, results });
  return await closeAfter(client, use);
}

/** Connects to all that the configuration names, for commands that look into the state store. */
export async function connect(session: Session): Promise<Client<boolean>> {
  const client: unknown = await createClient({ ...(await session.config()), middlewares: [] });
  return client as Client<boolean>;
}

async function closeAfter<T, TClient extends { close(): Promise<void> }>(
  client: TClient,
  use: (client: TClient) => Promise<T>,
): Promise<T> {
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}
