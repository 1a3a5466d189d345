import { text as readText } from "node:stream/consumers";
import {
  type Client,
  createClient,
  defineTask,
  type EnqueueManyOptions,
  findHandlers,
  isTask,
  type Task,
} from "@taskferry/core";
import type { Command } from "commander";
import { durationArgument, idArgument, nameArgument, wholeNumber } from "../arguments.ts";
import { formatStatus } from "../output/outcome.ts";
import { type Session, withResults } from "../session.ts";
import { waitForOutcome } from "../wait-for-outcome.ts";
import { examples } from "./examples.ts";

interface EnqueueFlags {
  readonly wait?: boolean;
  readonly timeout?: number;
  readonly delay?: number;
  readonly id?: string;
  readonly queue?: string;
  readonly priority?: number;
  readonly json?: boolean;
}

export function addEnqueue(program: Command, session: Session): void {
  const command = program
    .command("enqueue")
    .summary("enqueue a task by its name")
    .description(
      "Enqueue a task by its name. Its options and schema are those of the configuration's handlers, where these have it.",
    )
    .argument("<name>", "the task", nameArgument("task"))
    .argument("[json]", 'its input as JSON; "-" reads standard input; absent: no input')
    .option("-w, --wait", "wait for the outcome; 1 is the exit code unless it succeeded")
    .option("--timeout <duration>", "with --wait: how long to wait at most (default: for ever)", durationArgument)
    .option("--delay <duration>", 'how long it waits before it may start, such as "90s"', durationArgument)
    .option("--id <id>", "its id (default: a new one); enqueueing an id twice does nothing", idArgument)
    .option("--queue <name>", "the queue (default: the task's)", nameArgument("queue"))
    .option("--priority <number>", "9 first, 0 last (default: the task's)", wholeNumber(0, 9))
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        ["taskferry enqueue report.build", "a task without input"],
        [`taskferry enqueue image.resize '{"path":"cat.png","width":320}'`, "prints the id"],
        [`taskferry enqueue image.resize '{"path":"cat.png"}' --wait --timeout 30s`, "prints the outcome"],
        ["taskferry enqueue mail.send - --delay 1h < mail.json", "input from a file, in an hour"],
      ]),
    );
  command.action(async (name: string, json: string | undefined, flags: EnqueueFlags) => {
    if (flags.timeout !== undefined && !flags.wait) command.error("error: --timeout needs --wait", { exitCode: 2 });
    const input = await readInput(command, session, json);
    const task = await findTask(session, name, flags);
    await (flags.wait ? enqueueAndWait : enqueueOnly)(session, { task, input, flags });
  });
}

interface Order {
  readonly task: Task;
  readonly input: unknown;
  readonly flags: EnqueueFlags;
}

async function enqueueOnly(session: Session, order: Order): Promise<void> {
  const config = await session.config();
  await using client = await createClient({ ...config, results: false, state: false });
  const { status, handle } = await enqueue(client, order);
  if (order.flags.json) session.printJson({ ...handle, queue: queueOf(order), status });
  else session.print(handle.id);
  if (status === "duplicate") session.note(duplicateNote(handle.id));
}

async function enqueueAndWait(session: Session, order: Order): Promise<void> {
  await withResults(session, async (client) => {
    const { status, handle } = await enqueue(client, order);
    if (status === "duplicate") session.note(duplicateNote(handle.id));
    else session.note(`Enqueued ${handle.id} in ${queueOf(order)}.`);
    const outcome = await waitForOutcome(handle, session.terminal, order.flags.timeout);
    if (order.flags.json) session.printJson(outcome);
    else session.print(formatStatus(outcome, session.paint));
    session.end(outcome.status === "succeeded" ? 0 : 1);
  });
}

async function enqueue<TResults extends boolean, TState extends boolean>(
  client: Client<TResults, TState>,
  { task, input, flags }: Order,
) {
  const { delay, queue, priority, id } = flags;
  const options: EnqueueManyOptions<unknown> = {
    ...(delay !== undefined && { delay }),
    ...(queue !== undefined && { queue }),
    ...(priority !== undefined && { priority }),
  };
  const [answer] = await client.enqueueMany(task, [input], id === undefined ? options : { ...options, id: () => id });
  if (answer === undefined) throw new TypeError("The client gave no answer for an input.");
  if (answer.status === "refused") throw answer.error;
  return answer;
}

/** The task as the configuration's handlers know it, else one with nothing but its name. */
async function findTask(session: Session, name: string, { queue }: EnqueueFlags): Promise<Task> {
  const config = await session.config();
  const { handlers, tasks, problems } = await findHandlers(config, session.loadModule);
  const known = [...handlers.map(({ handler }) => handler.task).filter(isTask), ...tasks].find(
    (task) => task.name === name,
  );
  if (known !== undefined) return known;
  for (const { message } of problems) session.note(`warning: ${message}`);
  const task = defineTask<unknown, unknown>(name);
  session.note(
    `warning: no handler of this configuration runs "${name}": it is enqueued with default options in the queue "${queue ?? task.options.queue}", its input unchecked.`,
  );
  return task;
}

async function readInput(command: Command, session: Session, json: string | undefined): Promise<unknown> {
  if (json === undefined) return undefined;
  const text = json === "-" ? await readText(session.terminal.stdin) : json;
  try {
    return JSON.parse(text);
  } catch (error) {
    return command.error(
      `error: expected the input as JSON: ${(error as Error).message}. A text needs quotes inside quotes: '"text"'.`,
      { exitCode: 2 },
    );
  }
}

function queueOf({ task, flags }: Order): string {
  return flags.queue ?? task.options.queue;
}

function duplicateNote(id: string): string {
  return `The broker had ${id} already: nothing was added.`;
}
