import { ConfigurationError } from "../errors.ts";
import { importModule, type LoadModule, toModuleUrl } from "../load-module.ts";
import { isSchedule, type Schedule } from "../schedule.ts";

export interface ScheduleSources {
  readonly schedules?: readonly (Schedule | string | URL)[];
  /** Where relative paths begin. */
  readonly root: string;
}

/**
 * Collects schedules: those given by value, and all that modules export.
 *
 * @throws ConfigurationError `CONFIGURATION_INVALID` with all problems.
 */
export async function loadSchedules(
  { schedules: sources = [], root }: ScheduleSources,
  loadModule: LoadModule = importModule,
): Promise<readonly Schedule[]> {
  const problems: string[] = [];
  const lists = await Promise.all(
    sources.map(async (source) => {
      if (isSchedule(source)) return [source];
      try {
        return await loadFrom(source, root, loadModule);
      } catch (error) {
        problems.push(`schedules: ${error instanceof Error ? error.message : String(error)}`);
        return [];
      }
    }),
  );
  const all = [...new Set(lists.flat())];
  for (const [index, { id }] of all.entries())
    if (all.findIndex((other) => other.id === id) !== index)
      problems.push(`schedules: expected one schedule for each id, got two with "${id}".`);
  if (problems.length > 0) throw new ConfigurationError("CONFIGURATION_INVALID", problems);
  return all;
}

async function loadFrom(source: unknown, root: string, loadModule: LoadModule): Promise<readonly Schedule[]> {
  if (typeof source !== "string" && !(source instanceof URL))
    throw new Error(`expected a value made by defineSchedule, or a module's path or URL, got ${typeof source}.`);
  const found = Object.values(await loadModule(toModuleUrl(source, root))).filter(isSchedule);
  if (found.length > 0) return found;
  throw new Error(`the module ${source} exports no schedule. Export values made by defineSchedule.`);
}
