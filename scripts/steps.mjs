// What every command here does: say what begins, run it, say how long it took.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** A failure whose message is all that its reader needs. */
export class StepFailed extends Error {
  name = "StepFailed";
}

/** Says what begins, does it, and says how long it took. */
export async function step(title, work) {
  const begun = performance.now();
  console.log(`-- ${title}`);
  const result = await work();
  console.log(`   done in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  return result;
}

/**
 * Runs a command in a process group of its own, passes signals on to the group and answers `{ code, output, stoppedBy }`.
 * `limitMinutes` ends the whole group by force; `quiet` keeps the output instead of showing it.
 */
export function run(command, args, { env = process.env, cwd = root, limitMinutes, quiet = false } = {}) {
  return new Promise((resolve, reject) => {
    const output = quiet ? "pipe" : "inherit";
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ["ignore", output, output] });
    const chunks = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => chunks.push(chunk));
    const signals = passSignalsOn(child.pid);
    const limit = limitMinutes && setTimeout(() => endByForce(child.pid, limitMinutes), limitMinutes * 60_000);
    child.once("error", (error) => {
      clearTimeout(limit);
      signals.stop();
      reject(new StepFailed(`${command} could not be started: ${error.message}`));
    });
    child.once("close", (code, signal) => {
      clearTimeout(limit);
      const stoppedBy = signals.stop();
      resolve({ code: code ?? 128 + constants.signals[signal], output: Buffer.concat(chunks).toString(), stoppedBy });
    });
  });
}

/** Runs a command, and shows what it printed only when it fails. */
export async function runQuietly(command, args, { name = command, ...options } = {}) {
  const { code, output } = await run(command, args, { ...options, quiet: true });
  if (code === 0) return;
  console.error(output.trimEnd());
  throw new StepFailed(`${name} ended with exit code ${code}; what it printed is above.`);
}

/**
 * The terminal and npm may both send the same signal for one Ctrl-C: the group is told once. npm's shell may also end on a
 * signal without passing it on: then the group is told when this process has become an orphan.
 */
function passSignalsOn(pid) {
  let last = { signal: undefined, at: 0 };
  const pass = (signal) => {
    const now = performance.now();
    const repeated = last.signal === signal && now - last.at < 300;
    last = { signal, at: now };
    if (!repeated) signalGroup(pid, signal);
  };
  const parent = process.ppid;
  const orphanWatch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(orphanWatch);
    pass("SIGTERM");
  }, 200);
  const names = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const name of names) process.on(name, pass);
  const stop = () => {
    clearInterval(orphanWatch);
    for (const name of names) process.off(name, pass);
    return last.signal;
  };
  return { stop };
}

function endByForce(pid, minutes) {
  console.error(`   still running after ${minutes} minutes: ended by force`);
  signalGroup(pid, "SIGKILL");
}

function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

/** Runs a command's whole story; a failure is told in one line, without a stack, unless it is a fault of these scripts. */
export async function main(story) {
  try {
    process.exitCode = await story();
  } catch (error) {
    console.error(error instanceof StepFailed ? error.message : error);
    process.exitCode = 1;
  }
}
