import type { BrokerAdmin } from "@taskferry/core";
import { type Command, Option } from "commander";
import { nameArgument } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { type Session, withBroker } from "../session.ts";
import { examples } from "./examples.ts";

const sections = ["ready", "delayed", "dead"] as const;
type Section = (typeof sections)[number];

interface PurgeOptions {
  readonly section: Section | "all";
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function addPurge(program: Command, session: Session): void {
  const command = program
    .command("purge")
    .summary("empty a section of a queue")
    .description("Remove all messages of a section of a queue, for good. What a worker holds is never removed.")
    .argument("<queue>", "the queue", nameArgument("queue"))
    .addOption(new Option("--section <section>", "what to remove").choices([...sections, "all"]).default("ready"))
    .option("-y, --yes", "do not ask; needed where nobody can be asked")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        ["taskferry purge images", "remove what waits for a worker, after a question"],
        ["taskferry purge images --section dead --yes", "forget the dead letters, without a question"],
        ["taskferry purge images --section all", "ready, delayed and dead"],
      ]),
    );
  command.action((queue: string, options: PurgeOptions) =>
    withBroker(session, async ({ queues }) => {
      const chosen = options.section === "all" ? sections : [options.section];
      const isAgreed = options.yes === true || (await confirm(command, session, await describe(queues, queue, chosen)));
      if (!isAgreed) {
        session.note("Nothing was removed.");
        return session.end(1);
      }
      const removed: Partial<Record<Section, number>> = {};
      for (const section of chosen) removed[section] = await queues.purge(queue, section);
      if (options.json) session.printJson({ queue, removed });
      else session.print(`Removed from ${queue}: ${list(removed)}.`);
    }),
  );
}

async function describe(admin: BrokerAdmin, queue: string, chosen: readonly Section[]): Promise<string> {
  const depth = await admin.depth(queue);
  return `Remove from ${queue} for good: ${list(Object.fromEntries(chosen.map((section) => [section, depth[section]])))}?`;
}

function list(counts: Partial<Record<Section, number>>): string {
  return Object.entries(counts)
    .map(([section, count]) => `${count} ${section}`)
    .join(", ");
}
