import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import type { Session } from "./session.ts";
import { isInteractive } from "./terminal.ts";

/**
 * Asks a question that only "y" and "yes" agree to. Where nobody can be asked it ends the command with 2, and says that
 * `--yes` is needed.
 */
export async function confirm(command: Command, session: Session, question: string): Promise<boolean> {
  const { terminal } = session;
  if (!isInteractive(terminal))
    command.error(`error: nobody can be asked here: add --yes. (${question})`, { exitCode: 2 });
  const lines = createInterface({ input: terminal.stdin, output: terminal.stderr });
  // At the end of the input there is no answer.
  const ended = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    const answer = await Promise.race([lines.question(`${session.redact(question)} [y/N] `), ended]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
