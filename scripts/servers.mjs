// The servers and the browser that the tests start themselves: found on the PATH, or installed where that is possible.
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { prepareLaterNats } from "./later-nats.mjs";
import { runQuietly, StepFailed, step } from "./steps.mjs";

const programs = {
  redis: { title: "redis-server", names: ["redis-server"], apt: "redis-server", brew: "redis" },
  rabbitmq: {
    title: "rabbitmq-server",
    names: ["rabbitmq-server"],
    // The one that Debian puts on the PATH changes the user first; the tests start this one.
    places: ["/usr/lib/rabbitmq/bin/rabbitmq-server"],
    apt: "rabbitmq-server",
    brew: "rabbitmq",
    version: { program: "rabbitmqctl", args: ["version"] },
  },
  nats: { title: "nats-server", names: ["nats-server"], apt: "nats-server", brew: "nats-server" },
  chromium: {
    title: "Chromium",
    names: ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"],
    places: [
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
      "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ],
    apt: "chromium",
    brew: "--cask chromium",
    override: "TASKFERRY_CHROMIUM",
  },
};

const skipsServers = () => process.env.TASKFERRY_SKIP_SERVERS === "1";

/**
 * Finds or installs the named programs. Answers the environment variables that tell the tests where they are, and their
 * versions. A later NATS besides the system's is fetched for who asks for it.
 */
export async function prepareServers(names, { laterNats = false } = {}) {
  if (skipsServers()) {
    console.log(
      `-- TASKFERRY_SKIP_SERVERS=1: every test that needs ${names.map(title).join(" or ")} is skipped and counted as skipped`,
    );
    return { TASKFERRY_TEST_MACHINE: `node ${process.version}, no servers` };
  }
  const missing = names.filter((name) => !locate(programs[name]));
  if (missing.length > 0) await install(missing.map((name) => programs[name]));
  const found = names.map((name) => ({ ...programs[name], path: locate(programs[name]) }));
  const later = laterNats ? await prepareLaterNats() : { env: {}, versions: [] };
  const own = found.map(({ title, path, version }) => `${title} ${versionOf(path, version)}`);
  const versions = [...own, ...later.versions];
  for (const version of versions) console.log(`   ${version}`);
  return {
    ...later.env,
    ...Object.fromEntries(found.filter(({ override }) => override).map(({ override, path }) => [override, path])),
    TASKFERRY_TEST_MACHINE: [`node ${process.version}`, ...versions].join(", "),
  };
}

const title = (name) => programs[name].title;

function locate({ names, places = [], override }) {
  const chosen = override && process.env[override];
  if (chosen && isExecutable(chosen)) return chosen;
  if (chosen) throw new StepFailed(`${override} names ${chosen}, which is no program that can be run.`);
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  return [...names.flatMap((name) => folders.map((folder) => join(folder, name))), ...places].find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Some servers start whatever their arguments are: then another program of the same folder tells. */
function versionOf(path, { program, args } = { program: basename(path), args: ["--version"] }) {
  const stdio = ["ignore", "pipe", "ignore"];
  const text = execFileSync(join(dirname(path), program), args, { encoding: "utf8", stdio });
  return /\d+(\.\d+)+/.exec(text)?.[0] ?? "of unknown version";
}

async function install(missing) {
  if (!canUseApt()) throw new StepFailed(advice(missing));
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...args) =>
    runQuietly("apt-get", ["-o", "DPkg::Lock::Timeout=300", ...args], { env: environment, limitMinutes: 10 });
  await step(`installing ${missing.map(({ apt }) => apt).join(" and ")} with apt-get`, async () => {
    await apt("update");
    await apt("install", "-y", "--no-install-recommends", ...missing.map(({ apt }) => apt));
  });
  const absent = missing.filter((program) => !locate(program));
  if (absent.length > 0) throw new StepFailed(advice(absent));
}

function canUseApt() {
  return (
    process.getuid?.() === 0 && existsSync("/usr/bin/apt-get") && /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(osRelease())
  );
}

function osRelease() {
  return existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
}

function advice(missing) {
  return [
    `The tests start ${missing.map(({ title }) => title).join(" and ")} themselves, and found none on the PATH. Install:`,
    `  Debian, Ubuntu   sudo apt-get install ${missing.map(({ apt }) => apt).join(" ")}`,
    ...missing.map(({ brew }) => `  macOS            brew install ${brew}`),
    ...missing.map(
      ({ title, override }) =>
        `  elsewhere        put ${title} on the PATH${override ? `, or name it in ${override}` : ""}`,
    ),
    "As root on Debian or Ubuntu this is done for you. TASKFERRY_SKIP_SERVERS=1 runs the tests that need none.",
  ].join("\n");
}
