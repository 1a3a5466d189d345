import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import { testingError } from "../testing-error.ts";

/**
 * Ends what this process started, should this process end without doing so: a signal, a crash, a SIGKILL.
 *
 * It is a shell that reads lines from a pipe whose other end this process holds. A line is the process group to end
 * later; an empty line says that there is none. When this process is gone, however it went, the system closes the pipe:
 * the shell then kills the group it was told of last, and removes the directory.
 */
export interface Reaper {
  /** The pipe. What is started gets it too and writes its own line, so that no moment is left uncovered. */
  readonly pipe: Writable;

  /** Says that the group it was told of has ended. */
  forget(): void;

  /** Closes the pipe: the group it was told of is killed, the directory removed. Resolves once that is done. */
  end(): Promise<void>;
}

const script = `
group=
while read -r line; do group=$line; done
if [ -n "$group" ]; then kill -s KILL -- "-$group"; fi
if [ -n "$1" ]; then rm -rf -- "$1"; fi
`;

/**
 * Starts a reaper, which does not keep this process alive.
 *
 * @param directory - removed at the end; none is when absent.
 */
export async function startReaper(directory = ""): Promise<Reaper> {
  // In a group of its own: Ctrl-C ends everything in the terminal's group, and this has work to do then.
  const shell = spawn("/bin/sh", ["-c", script, "taskferry-reaper", directory], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  await once(shell, "spawn").catch((cause: unknown) => {
    throw testingError(
      "PROCESS_NOT_STARTED",
      "Could not start /bin/sh, which this package needs to start and end processes.",
      { cause },
    );
  });
  const pipe = shell.stdin as Socket;
  const closed = once(shell, "close");
  let broken: Error | undefined;
  pipe.on("error", (error) => {
    broken = error;
  });
  shell.unref();
  pipe.unref();

  return {
    pipe,
    forget: () => void pipe.write("\n"),
    end: async () => {
      shell.ref();
      pipe.end();
      await closed;
      if (broken)
        throw testingError("PROCESS_ENDED", "Somebody ended the reaper of a test process before its time.", {
          cause: broken,
        });
    },
  };
}
