import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Config } from "@taskferry/core";
import { configNames, type LoadedConfig } from "../config-file.ts";
import { isTypeScript } from "../module-loader.ts";
import { summarize } from "../output/describe-error.ts";
import type { Session } from "../session.ts";
import { createCheck, type Finding } from "./finding.ts";

/** Every name of a configuration; the compiler refuses this table when one is missing or too many. */
const names: Readonly<Record<keyof Config, true>> = {
  broadcast: true,
  claimCheck: true,
  encryption: true,
  signatures: true,
  broker: true,
  handlers: true,
  isolation: true,
  lease: true,
  logger: true,
  maxBodyBytes: true,
  maxDeliveries: true,
  middlewares: true,
  name: true,
  overrides: true,
  presence: true,
  publishTimeout: true,
  queues: true,
  results: true,
  root: true,
  schedules: true,
  schemes: true,
  serializer: true,
  serializers: true,
  shutdown: true,
  startTimeout: true,
  state: true,
};

export interface CheckedConfiguration {
  readonly loaded: LoadedConfig | undefined;
  readonly findings: readonly Finding[];
}

export async function checkConfiguration(session: Session): Promise<CheckedConfiguration> {
  const check = createCheck("configuration");
  try {
    const loaded = await session.loaded();
    const { config, file } = loaded;
    if (file === undefined) {
      check.warning(
        loaded.note ?? "There is no configuration file.",
        'Write a taskferry.config.ts: export default defineConfig({ broker, handlers: ["./handlers.ts"] }).',
      );
    } else {
      check.ok(file);
      checkFile(file, check, session.terminal.env);
    }
    for (const name of Object.keys(config).filter((key) => !Object.hasOwn(names, key))) {
      check.warning(`"${name}" is no name of a configuration`, `Known are: ${Object.keys(names).join(", ")}.`);
    }
    checkRoot(config.root, check);
    return { loaded, findings: check.findings };
  } catch (error) {
    check.failure(summarize(error), "Mend the configuration file; --stack shows where it failed.");
    return { loaded: undefined, findings: check.findings };
  }
}

function checkFile(file: string, check: ReturnType<typeof createCheck>, env: Session["terminal"]["env"]): void {
  const others = configNames
    .map((name) => join(dirname(file), name))
    .filter((other) => other !== file && existsSync(other));
  if (others.length > 0)
    check.warning(`${others.join(", ")} is there too, and not used`, "Remove what is not the configuration.");
  if (isTypeScript(file) && env.NODE_ENV === "production") {
    check.warning(
      "the configuration is TypeScript while NODE_ENV is production",
      "Compile it, and name the compiled file with --config.",
    );
  }
}

function checkRoot(root: string, check: ReturnType<typeof createCheck>): void {
  if (!existsSync(root)) check.failure(`the root ${root} does not exist`, "Correct `root` in the configuration.");
  else if (existsSync(join(root, "package.json"))) check.ok(`relative paths begin at ${root}`);
  else
    check.warning(
      `relative paths begin at ${root}, which has no package.json`,
      "Run taskferry inside the project, or set `root`: packages and files are looked for there.",
    );
}
