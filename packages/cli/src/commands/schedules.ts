import { type Client, createClient, type ScheduleInfo, type Timing } from "@taskferry/core";
import type { Command } from "commander";
import { nameArgument, wholeNumber } from "../arguments.ts";
import { formatTable } from "../output/table.ts";
import { formatSpan, formatTime } from "../output/time.ts";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

interface JsonFlag {
  readonly json?: boolean;
}

export function addSchedules(program: Command, session: Session): void {
  const schedules = program
    .command("schedules")
    .summary("look at schedules, pause, run or remove them")
    .description("Look at the schedules of the state store, pause them, run them now, or remove them.")
    .addHelpText(
      "after",
      examples([
        ["taskferry schedules list", "what there is, with last and next runs"],
        ["taskferry schedules run nightly-report", "now, besides its times"],
      ]),
    );
  schedules
    .command("list")
    .summary("list them with their last and next runs")
    .description("List schedules. Those in code are known once a scheduler that has them has started.")
    .option("--json", "print JSON")
    .addHelpText("after", examples([["taskferry schedules list --json", "for programs"]]))
    .action(async ({ json }: JsonFlag) => {
      const found = await withClient(session, (client) => client.schedules.list());
      if (json) session.printJson(found);
      else session.print(found.length === 0 ? "There is no schedule." : formatSchedules(found, session));
    });
  schedules
    .command("next")
    .summary("show the next times of one")
    .description("Show the next nominal times of a schedule, whether it is paused or not.")
    .argument("<id>", "its id", nameArgument("schedule"))
    .option("--count <number>", "how many", wholeNumber(1, 1_000), 5)
    .option("--json", "print JSON")
    .addHelpText("after", examples([["taskferry schedules next nightly-report --count 10", "the next ten"]]))
    .action(async (id: string, { count, json }: JsonFlag & { readonly count: number }) => {
      const times = await withClient(session, (client) => client.schedules.upcoming(id, count));
      if (json) session.printJson(times);
      else session.print(times.map((time) => formatTime(time.getTime())).join("\n") || "No time is left.");
    });
  addChanges(schedules, session);
}

function addChanges(schedules: Command, session: Session): void {
  const add = (
    name: string,
    summary: string,
    change: (client: Client, id: string) => Promise<{ readonly text: string; readonly answer: unknown }>,
  ): void => {
    schedules
      .command(name)
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
      .argument("<id>", "its id", nameArgument("schedule"))
      .option("--json", "print JSON")
      .addHelpText("after", examples([[`taskferry schedules ${name} nightly-report`, summary]]))
      .action(async (id: string, { json }: JsonFlag) => {
        const { text, answer } = await withClient(session, (client) => change(client, id));
        if (json) session.printJson(answer);
        else session.print(text);
      });
  };
  add("pause", "fire no more until it is resumed", async ({ schedules: all }, id) => {
    const answer = await all.pause(id);
    return { text: `${id} is paused.`, answer };
  });
  add("resume", "fire again from now on", async ({ schedules: all }, id) => {
    const answer = await all.resume(id);
    return { text: `${id} fires again${answer.next ? `, next at ${formatTime(answer.next.getTime())}` : ""}.`, answer };
  });
  add("run", "fire now, besides its times", async ({ schedules: all }, id) => {
    const { id: task } = await all.trigger(id);
    return { text: `Enqueued ${task}.`, answer: { id: task } };
  });
  add(
    "remove",
    "remove one for good; what is in code comes back with its scheduler",
    async ({ schedules: all }, id) => {
      const isRemoved = await all.remove(id);
      return {
        text: isRemoved ? `${id} is removed.` : `There is no schedule "${id}".`,
        answer: { id, removed: isRemoved },
      };
    },
  );
}

async function withClient<T>(session: Session, use: (client: Client) => Promise<T>): Promise<T> {
  const { state, ...config } = await session.config();
  await using client = await createClient({ ...config, ...(typeof state !== "boolean" && { state }) });
  return await use(client as unknown as Client);
}

function formatSchedules(found: readonly ScheduleInfo[], { paint }: Session): string {
  return formatTable(
    found,
    [
      { heading: "id", cell: ({ id }) => id },
      { heading: "task", cell: ({ task }) => task },
      { heading: "when", cell: ({ timing }) => formatTiming(timing) },
      {
        heading: "next",
        cell: ({ next, isPaused }) => (isPaused ? "paused" : next ? formatTime(next.getTime()) : "never"),
      },
      { heading: "last", cell: ({ last }) => (last ? formatTime(last.time.getTime()) : "never") },
      { heading: "from", cell: ({ source }) => source },
    ],
    paint,
  );
}

function formatTiming({ cron, timeZone, every, at = 0 }: Timing): string {
  if (cron !== undefined) return `${cron} ${timeZone}`;
  return every === undefined ? `at ${formatTime(at)}` : `every ${formatSpan(every)}`;
}
