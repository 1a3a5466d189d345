import type { Client, DeadLetterFilter, ReplayReport } from "@taskferry/core";
import type { Command } from "commander";
import { confirm } from "../../confirm.ts";
import { countOf } from "../../output/count.ts";
import { type Session, withBroker } from "../../session.ts";
import { type Letter, locate, queuesToSearch } from "./locate.ts";

interface ChangeFlags extends DeadLetterFilter {
  readonly queue?: string;
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** Keys by queue, and those that no queue has. */
interface Choice {
  readonly queues: ReadonlyMap<string, readonly string[] | "all" | DeadLetterFilter>;
  readonly missing: readonly string[];
}

export async function replayLetters(session: Session, keys: readonly string[], flags: ChangeFlags): Promise<void> {
  const report = await withBroker(session, async (client): Promise<ReplayReport> => {
    const { queues, missing } = await choose(client, keys, flags);
    const reports: ReplayReport[] = [];
    for (const [queue, chosen] of queues) reports.push(await client.deadLetters.replay(queue, chosen));
    return {
      replayed: reports.flatMap(({ replayed }) => replayed),
      missing: [...missing, ...reports.flatMap((one) => one.missing)],
      left: reports.flatMap(({ left }) => left),
    };
  });
  if (flags.json) session.printJson(report);
  else session.print(`Replayed ${countOf(report.replayed.length, "dead letter")}.`);
  for (const key of report.missing) session.note(`warning: ${key} was not found.`);
  for (const { key, reason } of report.left) session.note(`warning: ${key} was left: ${reason}.`);
  session.end(report.missing.length + report.left.length === 0 ? 0 : 1);
}

export async function dropLetters(
  { command, session }: { readonly command: Command; readonly session: Session },
  keys: readonly string[],
  flags: ChangeFlags,
): Promise<void> {
  await withBroker(session, async (client) => {
    const { queues, missing } = await choose(client, keys, flags);
    if (flags.all && !flags.yes && !(await confirm(command, session, await describe(client, [...queues.keys()])))) {
      session.note("Nothing was removed.");
      return session.end(1);
    }
    let dropped = 0;
    for (const [queue, chosen] of queues) dropped += await client.deadLetters.drop(queue, chosen);
    if (flags.json) session.printJson({ dropped, missing });
    else session.print(`Dropped ${countOf(dropped, "dead letter")}.`);
    for (const key of missing) session.note(`warning: ${key} was not found.`);
    session.end(missing.length === 0 ? 0 : 1);
  });
}

async function choose(
  client: Client<false, boolean>,
  keys: readonly string[],
  { queue, all, ...flags }: ChangeFlags,
): Promise<Choice> {
  const names = await queuesToSearch(client, queue);
  // Both may be given: all of a task are fewer than all.
  const isFiltered = flags.task !== undefined || flags.code !== undefined || flags.olderThan !== undefined;
  if (all && !isFiltered) return { queues: new Map(names.map((name) => [name, "all"])), missing: [] };
  if (keys.length === 0) {
    const { task, code, olderThan } = flags;
    const filter = {
      ...(task !== undefined && { task }),
      ...(code !== undefined && { code }),
      ...(olderThan !== undefined && { olderThan }),
    };
    return { queues: new Map(names.map((name) => [name, filter])), missing: [] };
  }
  const found = await Promise.all(keys.map((key) => locate(client, names, key)));
  const letters = found.filter((letter) => letter !== undefined);
  return { queues: groupByQueue(letters), missing: keys.filter((_, index) => found[index] === undefined) };
}

function groupByQueue(letters: readonly Letter[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, Set<string>>();
  for (const { queue, entry } of letters) groups.set(queue, (groups.get(queue) ?? new Set()).add(entry.key));
  return new Map([...groups].map(([queue, keys]) => [queue, [...keys]]));
}

async function describe(client: Client<false, boolean>, queues: readonly string[]): Promise<string> {
  const depths = await Promise.all(queues.map((queue) => client.queues.depth(queue)));
  const total = depths.reduce((sum, { dead = 0 }) => sum + dead, 0);
  return `Drop ${countOf(total, "dead letter")} of ${queues.length === 0 ? "no queue" : queues.join(", ")} for good?`;
}
