import { readFile } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";

/** Sends SIGSTOP and, where the system can tell, waits until the process stands still. */
export async function pauseProcess(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  if (process.platform !== "linux") return;
  while ((await stateOf(pid)) !== "T") await nextTurn();
}

// The state letter follows the command's name, which may itself hold spaces and brackets.
async function stateOf(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, "utf8");
  return line.slice(line.lastIndexOf(")") + 2)[0];
}

/** Sends SIGCONT. */
export function resumeProcess(pid: number): void {
  process.kill(pid, "SIGCONT");
}
