import { ConfigurationError } from "../errors.ts";
import { type Handler, isHandler } from "../handler.ts";
import { importModule, type LoadModule, toModuleUrl } from "../load-module.ts";
import { isTask, type Task } from "../task.ts";

/** A handler of the configuration, and the module that exports it; `undefined` for one given by value. */
export interface FoundHandler {
  readonly handler: Handler;
  readonly source: string | undefined;
}

/** What a configuration's `handlers` come to. */
export interface FoundHandlers {
  readonly handlers: readonly FoundHandler[];
  /** Tasks that the modules export, whether handled or not. */
  readonly tasks: readonly Task[];
  readonly problems: readonly HandlerProblem[];
}

export interface HandlerProblem {
  readonly code: "CONFIGURATION_INVALID" | "HANDLER_DUPLICATE";
  readonly message: string;
  readonly cause?: unknown;
}

export interface HandlerSources {
  readonly handlers?: readonly (Handler | string | URL)[];
  /** Where relative paths begin. */
  readonly root: string;
}

/** Collects handlers: those given by value, and all that modules export. A problem hides nothing of the others. */
export async function findHandlers(
  { handlers: sources = [], root }: HandlerSources,
  loadModule: LoadModule = importModule,
): Promise<FoundHandlers> {
  const lists = await Promise.all(sources.map((source) => findIn(source, root, loadModule)));
  const all = lists.flatMap((list) => list.handlers);
  return {
    handlers: all.filter(({ handler }, index) => all.findIndex((other) => other.handler === handler) === index),
    tasks: [...new Set(lists.flatMap((list) => list.tasks))],
    problems: [...lists.flatMap((list) => list.problems), ...findDuplicates(all)],
  };
}

/**
 * The same where every problem is an error.
 *
 * @throws ConfigurationError with all problems: `HANDLER_DUPLICATE` when that is all that is wrong, else `CONFIGURATION_INVALID`.
 */
export async function loadHandlers(sources: HandlerSources, loadModule?: LoadModule): Promise<readonly FoundHandler[]> {
  const { handlers, problems } = await findHandlers(sources, loadModule);
  if (problems.length === 0) return handlers;
  const isDuplicate = problems.every(({ code }) => code === "HANDLER_DUPLICATE");
  const cause = problems.find((problem) => problem.cause !== undefined)?.cause;
  throw new ConfigurationError(
    isDuplicate ? "HANDLER_DUPLICATE" : "CONFIGURATION_INVALID",
    problems.map(({ message }) => message),
    { cause },
  );
}

async function findIn(source: Handler | string | URL, root: string, loadModule: LoadModule): Promise<FoundHandlers> {
  if (isHandler(source)) return { handlers: [{ handler: source, source: undefined }], tasks: [], problems: [] };
  if (typeof source !== "string" && !(source instanceof URL)) {
    const expected = "a value made by task.handler(fn), or a module's path or URL";
    return failed(`handlers: expected ${expected}, got ${typeof source}.`);
  }
  try {
    const values = Object.values(await loadModule(toModuleUrl(source, root)));
    const handlers = values.filter(isHandler).map((handler) => ({ handler, source: String(source) }));
    if (handlers.length > 0) return { handlers, tasks: values.filter(isTask), problems: [] };
    return failed(`handlers: the module ${source} exports no handler. Export values made by task.handler(fn).`);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    return failed(`handlers: the module ${source} could not be loaded: ${text}`, cause);
  }
}

function findDuplicates(handlers: readonly FoundHandler[]): readonly HandlerProblem[] {
  const byName = new Map<string, FoundHandler>();
  return handlers.flatMap((found) => {
    const { name } = found.handler.task;
    const first = byName.get(name) ?? found;
    byName.set(name, first);
    if (first.handler === found.handler) return [];
    const places = [first, found].map(({ source }) => source ?? "the configuration").join(" and ");
    const message = `handlers: expected one handler for each task, got two for "${name}", in ${places}.`;
    return [{ code: "HANDLER_DUPLICATE", message }];
  });
}

function failed(message: string, cause?: unknown): FoundHandlers {
  return { handlers: [], tasks: [], problems: [{ code: "CONFIGURATION_INVALID", message, cause }] };
}
