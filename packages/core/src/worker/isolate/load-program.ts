import type { Config } from "../../config.ts";
import { ConfigurationError } from "../../errors.ts";
import type { Handler } from "../../handler.ts";
import type { LoadModule } from "../../load-module.ts";
import type { Surroundings } from "../../middleware.ts";
import type { ProviderOverride } from "../../provider.ts";
import { createSerializerSet, type SerializerSet } from "../../serializer-set.ts";
import type { NamedSurroundings } from "../../surroundings.ts";
import type { IsolateStart, TaskDescription } from "../isolation/protocol.ts";
import { type FoundHandler, loadHandlers } from "../load-handlers.ts";

/** The user's part of a worker. */
export interface Program {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly tasks: readonly TaskDescription[];
  readonly serializers: SerializerSet;
  readonly overrides: readonly ProviderOverride[];
  readonly surroundings: readonly NamedSurroundings[];
}

export async function loadProgram(start: IsolateStart): Promise<Program> {
  const { modules, root, loader, config } = start;
  const loadModule: LoadModule = loader === undefined ? (url) => import(url) : (await import(loader)).loadModule;
  const found = await loadHandlers({ handlers: modules, root }, loadModule);
  const {
    serializer,
    serializers,
    overrides = [],
  }: PartOfConfig = config === undefined ? {} : await loadConfig(config, loadModule);
  return {
    handlers: new Map(found.map(({ handler }) => [handler.task.name, withoutTimeout(handler)])),
    tasks: found.map(describe),
    serializers: createSerializerSet(serializer, serializers),
    overrides,
    surroundings: await Promise.all(start.surroundings.map((named) => loadSurroundings(named, loadModule))),
  };
}

type PartOfConfig = Pick<Config, "serializer" | "serializers" | "overrides">;

async function loadConfig(url: string, loadModule: LoadModule): Promise<PartOfConfig> {
  return (await loadModule(url)).default as Config;
}

async function loadSurroundings(
  { name, module }: IsolateStart["surroundings"][number],
  loadModule: LoadModule,
): Promise<NamedSurroundings> {
  const { surroundings } = (await loadModule(module)) as { readonly surroundings?: Surroundings };
  if (typeof surroundings?.restore === "function" && typeof surroundings.capture === "function") {
    return { name, capture: () => surroundings.capture(), restore: (...args) => surroundings.restore(...args) };
  }
  throw new ConfigurationError(
    "CONFIGURATION_INVALID",
    `middlewares, ${name}: expected \`surroundings.module\` to export \`surroundings\` with \`capture\` and \`restore\`, got a module without.`,
  );
}

/** The worker keeps the time, since it is never blocked. */
function withoutTimeout(handler: Handler): Handler {
  const { task } = handler;
  return { ...handler, task: { ...task, options: { ...task.options, timeout: undefined } } };
}

/** Options without a value, which JSON leaves out. */
const unsaid = { timeout: undefined, expires: undefined, limit: undefined, unique: undefined };

function describe({ handler: { task }, source }: FoundHandler): TaskDescription {
  const { unique } = task.options;
  let isPartial = false;
  // The key of a unique task is found where the task is enqueued.
  const said = { ...task.options, unique: unique && { ...unique, key: undefined } };
  const text = JSON.stringify(said, (_, value: unknown) => {
    isPartial ||= typeof value === "function";
    return value;
  });
  const options = { ...unsaid, ...JSON.parse(text) } as TaskDescription["options"];
  return { name: task.name, options, source: source ?? "", isPartial };
}
