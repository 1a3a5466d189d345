import type { Command } from "commander";
import { checkConfiguration } from "../doctor/check-configuration.ts";
import { checkConnections } from "../doctor/check-connections.ts";
import { checkHandlers } from "../doctor/check-handlers.ts";
import { checkNode } from "../doctor/check-node.ts";
import { checkPackages } from "../doctor/check-packages.ts";
import { checkQueues } from "../doctor/check-queues.ts";
import { createCheck, type Finding } from "../doctor/finding.ts";
import { cleanText } from "../output/clean-text.ts";
import type { Paint } from "../output/paint.ts";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

export function addDoctor(program: Command, session: Session): void {
  program
    .command("doctor")
    .summary("check everything, and say what to do")
    .description("Check the configuration, the packages, the servers, the handlers and the queues, and say what to do.")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples(
        [
          ["taskferry doctor", "before the first run, or when something is odd"],
          ["taskferry doctor --json", "for programs"],
        ],
        "It changes nothing. The exit code is 1 when any check failed; warnings leave it 0.",
      ),
    )
    .action(async ({ json }: { readonly json?: boolean }) => {
      const findings = await examine(session);
      const isHealthy = findings.every(({ status }) => status !== "failure");
      if (json) session.printJson({ ok: isHealthy, findings });
      else session.print(formatFindings(findings, session.paint));
      session.end(isHealthy ? 0 : 1);
    });
}

async function examine(session: Session): Promise<readonly Finding[]> {
  const { loaded, findings } = await checkConfiguration(session);
  const first = [...checkNode(), ...findings];
  if (loaded === undefined)
    return [
      ...first,
      ...skip(["packages", "broker", "results", "state", "handlers", "queues"], "the configuration cannot be loaded"),
    ];

  const { config } = loaded;
  const packages = checkPackages(config.root);
  const [connections, handlers] = await Promise.all([
    checkConnections(config),
    checkHandlers(config, session.loadModule),
  ]);
  const { broker } = connections;
  const queues =
    broker === undefined
      ? skip(["queues"], "the broker cannot be reached")
      : await checkQueues(broker, config, handlers.found);
  await broker?.close();
  return [...first, ...packages, ...connections.findings, ...handlers.findings, ...queues];
}

function skip(checks: readonly string[], reason: string): readonly Finding[] {
  return checks.flatMap((name) => {
    const check = createCheck(name);
    check.skipped(reason);
    return check.findings;
  });
}

const marks = {
  ok: ["green", "ok"],
  warning: ["yellow", "warning"],
  failure: ["red", "failure"],
  skipped: ["dim", "skipped"],
} as const;

function formatFindings(findings: readonly Finding[], paint: Paint): string {
  const lines = findings.flatMap(({ check, status, message, advice }) => {
    const [style, word] = marks[status];
    const line = `${paint(style, word.padEnd(7))}  ${check.padEnd(13)}  ${cleanText(message).replace(/\n/g, `\n${" ".repeat(24)}`)}`;
    return advice === undefined ? [line] : [line, `${" ".repeat(24)}→ ${cleanText(advice)}`];
  });
  return [...lines, "", summarizeFindings(findings)].join("\n");
}

function summarizeFindings(findings: readonly Finding[]): string {
  const count = (status: Finding["status"]): number => findings.filter((finding) => finding.status === status).length;
  const [failures, warnings] = [count("failure"), count("warning")];
  if (failures === 0 && warnings === 0) return "Everything is in order.";
  const parts = [...(failures > 0 ? [`${failures} failed`] : []), ...(warnings > 0 ? [`${warnings} to look at`] : [])];
  return `${parts.join(", ")}.`;
}
