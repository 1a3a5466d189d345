import { access, constants, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { testingError } from "../testing-error.ts";

/** The servers that tests of taskferry may need. */
export type ServerName = "nats" | "rabbitmq" | "redis";

interface ServerProgram {
  readonly command: string;
  /** Folders to look in before the PATH. */
  readonly folders: readonly string[];
  readonly debianPackage: string;
  readonly homebrewFormula: string;
}

const programs: Readonly<Record<ServerName, ServerProgram>> = {
  nats: { command: "nats-server", folders: [], debianPackage: "nats-server", homebrewFormula: "nats-server" },
  rabbitmq: {
    command: "rabbitmq-server",
    // On Debian the one on the PATH changes the user first, and refuses to run as anybody but root.
    folders: ["/usr/lib/rabbitmq/bin"],
    debianPackage: "rabbitmq-server",
    homebrewFormula: "rabbitmq",
  },
  redis: { command: "redis-server", folders: [], debianPackage: "redis-server", homebrewFormula: "redis" },
};

/** The path of each server's program on this machine, `undefined` where there is none. */
export async function findServers(): Promise<Readonly<Record<ServerName, string | undefined>>> {
  const [nats, rabbitmq, redis] = await Promise.all([
    findProgram(programs.nats),
    findProgram(programs.rabbitmq),
    findProgram(programs.redis),
  ]);
  return { nats, rabbitmq, redis };
}

/**
 * The path of a server's program.
 *
 * @throws `SERVER_MISSING`, saying what to install.
 */
export async function requireServer(name: ServerName): Promise<string> {
  const program = programs[name];
  const path = await findProgram(program);
  if (path !== undefined) return path;
  throw testingError(
    "SERVER_MISSING",
    `Found no ${program.command} on the PATH. Install it and try again: ` +
      `"apt-get install --no-install-recommends ${program.debianPackage}" on Debian or Ubuntu, "brew install ${program.homebrewFormula}" on macOS.`,
  );
}

async function findProgram({ command, folders }: ServerProgram): Promise<string | undefined> {
  const onPath = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const folder of [...folders, ...onPath]) {
    const path = join(folder, command);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
