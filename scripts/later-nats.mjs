// A later NATS server than the system's, for what only later servers have. Unpacked beside the tools, not installed; where
// there is none to be had, its tests are skipped.
import { execFileSync } from "node:child_process";
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { root, run } from "./steps.mjs";

const folder = join(root, ".tools", "nats-later");
const program = join(folder, "usr", "sbin", "nats-server");
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Answers the variable that tells the tests where it is, and its version. */
export async function prepareLaterNats() {
  const path = process.env.TASKFERRY_NATS_LATER || program;
  const version = versionOf(path) ?? ((await fetchFromDebian()) ? versionOf(path) : undefined);
  if (version === undefined) {
    console.log("   no later nats-server is to be had here: tests of what later ones have are skipped.");
    console.log("   TASKFERRY_NATS_LATER may name one, of 2.12 or later.");
    return { env: {}, versions: [] };
  }
  return { env: { TASKFERRY_NATS_LATER: path }, versions: [`nats-server ${version}`] };
}

function versionOf(path) {
  try {
    accessSync(path, constants.X_OK);
    const text = execFileSync(path, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return /\d+(\.\d+)+/.exec(text)?.[0];
  } catch {
    return undefined;
  }
}

/** From Debian's unstable suite, through the mirror that this system uses, in lists of its own. Whether that worked. */
async function fetchFromDebian() {
  const mirror = debianMirror();
  if (process.env.TASKFERRY_NATS_LATER || mirror === undefined) return false;
  const work = `${folder}.${process.pid}`;
  const lists = join(work, "lists");
  for (const path of [join(lists, "partial"), join(work, "cache", "archives", "partial")])
    mkdirSync(path, { recursive: true });
  const sources = join(work, "sources.list");
  writeFileSync(sources, `deb [signed-by=${keyring}] ${mirror} unstable main\n`);
  const own = [
    ["Dir::Etc::sourcelist", sources],
    ["Dir::Etc::sourceparts", "-"],
    ["Dir::State::lists", lists],
    ["Dir::Cache", join(work, "cache")],
    ["APT::Sandbox::User", "root"],
    ["Acquire::Retries", "2"],
  ].flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  const attempt = (command, args) =>
    run(command, args, { cwd: work, quiet: true, limitMinutes: 3 }).then(({ code }) => code === 0);
  try {
    const hasCome =
      (await attempt("apt-get", [...own, "update"])) && (await attempt("apt-get", [...own, "download", "nats-server"]));
    const archive = hasCome && readdirSync(work).find((name) => name.endsWith(".deb"));
    if (!archive || !(await attempt("dpkg-deb", ["-x", archive, "unpacked"]))) return false;
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(work, "unpacked"), folder);
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function debianMirror() {
  for (const file of ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"]) {
    const mirror = /^(?:URIs:|deb(?: \[.*\])?) *(\S+\/debian)\/?(?:\s|$)/m.exec(readIfThere(file))?.[1];
    if (mirror !== undefined) return mirror;
  }
  return undefined;
}

function readIfThere(file) {
  try {
    accessSync(keyring);
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
