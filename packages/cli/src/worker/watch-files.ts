import { once } from "node:events";
import { basename, relative } from "node:path";
import type { Logger } from "@taskferry/core";
import { watch } from "chokidar";

export interface WatchOptions {
  /** The folder whose source files matter. */
  readonly root: string;
  /** More files, such as a configuration outside of `root`. */
  readonly files: readonly string[];
  readonly logger: Logger;
  /** Called with the path, relative to `root`, of the last of some files that changed. */
  readonly onChange: (path: string) => void;
}

const sourcePattern = /\.[cm]?[jt]sx?$/;
/** Milliseconds without a change after which it is told: an editor or a compiler writes many files. */
const calm = 100;

/** Watches source files. Resolves, once it does, to the way to end that. */
export async function watchFiles({ root, files, logger, onChange }: WatchOptions): Promise<() => Promise<void>> {
  const changes = watch([root, ...files], {
    ignoreInitial: true,
    ignored: (path, stats) => isIgnored(path, root, stats?.isFile() === true),
  });
  let timer: NodeJS.Timeout | undefined;
  changes.on("all", (event, path) => {
    // A folder comes and goes with its files; one without sources, such as that of a database, is no change.
    if (event === "addDir" || event === "unlinkDir") return;
    clearTimeout(timer);
    timer = setTimeout(() => onChange(relative(root, path)), calm);
  });
  changes.on("error", (error) => logger.error({ error }, "files cannot be watched"));
  await once(changes, "ready");
  logger.info({ root, pid: process.pid }, "watching for changes");
  return async () => {
    clearTimeout(timer);
    await changes.close();
  };
}

function isIgnored(path: string, root: string, isFile: boolean): boolean {
  const name = basename(path);
  if (path !== root && (name === "node_modules" || name.startsWith("."))) return true;
  return isFile && !sourcePattern.test(name);
}
