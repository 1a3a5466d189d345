import type { Config } from "../../config.ts";
import type { Handler } from "../../handler.ts";
import type { LoadModule } from "../../load-module.ts";
import type { ProviderOverride } from "../../provider.ts";
import { createSerializerSet, type SerializerSet } from "../../serializer-set.ts";
import type { IsolateStart, TaskDescription } from "../isolation/protocol.ts";
import { type FoundHandler, loadHandlers } from "../load-handlers.ts";

/** The user's part of a worker. */
export interface Program {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly tasks: readonly TaskDescription[];
  readonly serializers: SerializerSet;
  readonly overrides: readonly ProviderOverride[];
}

export async function loadProgram({ modules, root, loader, config }: IsolateStart): Promise<Program> {
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
  };
}

type PartOfConfig = Pick<Config, "serializer" | "serializers" | "overrides">;

async function loadConfig(url: string, loadModule: LoadModule): Promise<PartOfConfig> {
  return (await loadModule(url)).default as Config;
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
