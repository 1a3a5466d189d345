import type { Command } from "commander";
import { durationArgument, nameArgument, wholeNumber } from "../arguments.ts";
import type { Session } from "../session.ts";
import { dropLetters, replayLetters } from "./dead/change.ts";
import { listLetters, showLetter } from "./dead/look.ts";
import { examples } from "./examples.ts";

export function addDead(program: Command, session: Session): void {
  const dead = program
    .command("dead")
    .summary("look into the dead letters, replay or drop them")
    .description("Look into the dead letters: messages that were given up on, kept with their reason.")
    .addHelpText(
      "after",
      examples([
        ["taskferry dead list", "what there is"],
        ["taskferry dead replay my-id", "once more, with all attempts"],
      ]),
    );
  addList(dead, session);
  addShow(dead, session);
  addReplay(dead, session);
  addDrop(dead, session);
}

function addList(dead: Command, session: Session): void {
  const command = dead
    .command("list")
    .summary("list them, newest first")
    .description("List dead letters, newest first.")
    .option("--queue <name>", "of one queue (default: of all)", nameArgument("queue"))
    .option("--limit <number>", "at most so many of each queue", wholeNumber(1, 1_000), 20)
    .option("--cursor <cursor>", "with --queue: go on where the page before ended")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        ["taskferry dead list", "the newest of every queue"],
        ["taskferry dead list --queue images --limit 100 --json", "for programs"],
      ]),
    );
  command.action((flags) => {
    if (flags.cursor !== undefined && flags.queue === undefined)
      command.error("error: --cursor needs --queue", { exitCode: 2 });
    return listLetters(session, flags);
  });
}

function addShow(dead: Command, session: Session): void {
  dead
    .command("show")
    .summary("show one with its reason and its bytes")
    .description("Show a dead letter: its reason, its message and its bytes.")
    .argument("<key>", "its key, or its task's id")
    .option("--queue <name>", "the queue (default: looked for in all)", nameArgument("queue"))
    .option("--raw", "write the bytes as they travelled, and nothing else")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        ["taskferry dead show my-id", "for people"],
        ["taskferry dead show my-id --raw > letter.bin", "the very bytes"],
      ]),
    )
    .action((key: string, flags) => showLetter(session, key, flags));
}

function addReplay(dead: Command, session: Session): void {
  const command = dead
    .command("replay")
    .summary("enqueue them again")
    .description("Enqueue dead letters again, each as a new run with all its attempts.")
    .argument("[keys...]", "their keys, or their tasks' ids")
    .option("--all", "all of them")
    .option("--task <name>", "those of a task", nameArgument("task"))
    .option("--code <code>", "those with this code as their reason, such as TASK_FAILED")
    .option("--older-than <duration>", "those that were given up on at least so long ago", durationArgument)
    .option("--queue <name>", "the queue (default: looked for in all)", nameArgument("queue"))
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        ["taskferry dead replay my-id other-id", "two of them"],
        ["taskferry dead replay --all --queue images", "all of a queue"],
        ["taskferry dead replay --task image.resize --code TASK_TIMED_OUT", "those of a task that took too long"],
      ]),
    );
  command.action((keys: readonly string[], flags) => {
    const isFiltered = flags.task !== undefined || flags.code !== undefined || flags.olderThan !== undefined;
    requireChoice(command, keys, flags.all === true || isFiltered);
    return replayLetters(session, keys, flags);
  });
}

function addDrop(dead: Command, session: Session): void {
  const command = dead
    .command("drop")
    .summary("remove them for good")
    .description("Remove dead letters for good.")
    .argument("[keys...]", "their keys, or their tasks' ids")
    .option("--all", "all of them, after a question")
    .option("--queue <name>", "the queue (default: looked for in all)", nameArgument("queue"))
    .option("-y, --yes", "with --all: do not ask; needed where nobody can be asked")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        ["taskferry dead drop my-id", "one of them"],
        ["taskferry dead drop --all --queue images --yes", "all of a queue, without a question"],
      ]),
    );
  command.action((keys: readonly string[], flags) => {
    requireChoice(command, keys, flags.all);
    return dropLetters({ command, session }, keys, flags);
  });
}

function requireChoice(command: Command, keys: readonly string[], all: boolean | undefined): void {
  if (keys.length > 0 === (all === true))
    command.error("error: expected keys, or --all or another choice", { exitCode: 2 });
}
