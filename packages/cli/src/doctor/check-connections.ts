import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import {
  type Broker,
  type Config,
  type Connections,
  isTaskferryError,
  type ResultBackend,
  redactUrl,
  resolveConnections,
  type StateStore,
} from "@taskferry/core";
import { summarize } from "../output/describe-error.ts";
import { formatSpan } from "../output/time.ts";
import { type Check, createCheck, type Finding } from "./finding.ts";

export interface CheckedConnections {
  /** The broker, connected; `undefined` when it cannot be reached. The caller closes it. */
  readonly broker: Broker | undefined;
  readonly findings: readonly Finding[];
}

/** Connects to each part of a configuration and measures it. */
export async function checkConnections(config: Config): Promise<CheckedConnections> {
  const check = createCheck("broker");
  let connections: Connections;
  try {
    connections = await resolveConnections(config);
  } catch (error) {
    check.failure(summarize(error), adviceFor(error));
    return { broker: undefined, findings: check.findings };
  }
  const isReachable = await checkBroker(connections.broker, placeOf(config.broker), check);
  const others = await Promise.all([checkResults(connections.results, config), checkState(connections.state, config)]);
  return { broker: isReachable ? connections.broker : undefined, findings: [...check.findings, ...others.flat()] };
}

async function checkBroker(broker: Broker, place: string, check: Check): Promise<boolean> {
  const warnings = new Set<string>();
  const unsubscribe = broker.on((event) => {
    if (event.type === "warning") warnings.add(event.message);
    if (event.type === "blocked") warnings.add(`publishing is blocked: ${event.reason}`);
  });
  try {
    const { admin } = broker;
    const speed = await measure(broker, admin && (() => admin.depth("default")));
    check.ok(`${broker.name}${place}, contract ${broker.contract}: ${speed}`);
    if (broker.capabilities.durable === "refused") {
      check.warning(
        `${broker.name} keeps messages in memory alone`,
        "Use another broker where tasks must outlive a crash.",
      );
    }
    for (const warning of warnings)
      check.warning(warning, "Change it on the server; the documentation of this broker says why.");
    return true;
  } catch (error) {
    check.failure(`${broker.name}${place}: ${summarize(error)}`, adviceFor(error));
    return false;
  } finally {
    unsubscribe();
  }
}

/** Where the broker is, as far as the configuration says. */
function placeOf(broker: Config["broker"]): string {
  return typeof broker === "string" && broker !== "" ? ` at ${redactUrl(broker)}` : "";
}

async function checkResults(results: ResultBackend | undefined, config: Config): Promise<readonly Finding[]> {
  const check = createCheck("results");
  if (results === undefined) {
    if (config.results === false) check.ok("none, as configured: handles have only an id");
    else
      check.failure(
        "none: the broker offers no result backend",
        "Set `results` to one, or to false for handles that have only an id.",
      );
    return check.findings;
  }
  const { durable, shared } = results.capabilities;
  await checkPart(results, check, () => results.get([`doctor-${randomUUID()}`]));
  if (!shared)
    check.warning(
      `${results.name} is seen by this process alone`,
      "Set `results` to a backend that clients and workers share.",
    );
  else if (!durable)
    check.warning(
      `${results.name} forgets outcomes when its server ends`,
      "Set `results` to a durable backend where outcomes matter.",
    );
  return check.findings;
}

async function checkState(state: StateStore | undefined, config: Config): Promise<readonly Finding[]> {
  const check = createCheck("state");
  if (state !== undefined) await checkPart(state, check, () => state.get([["doctor", randomUUID()]]));
  else if (config.state === false) check.ok("none, as configured");
  else check.warning("none: progress cannot be kept", "Set `state` to a store, where progress is wanted.");
  return check.findings;
}

async function checkPart(part: ResultBackend | StateStore, check: Check, probe: () => Promise<unknown>): Promise<void> {
  try {
    check.ok(`${part.name}, contract ${part.contract}: ${await measure(part, probe)}`);
    await part.close();
  } catch (error) {
    check.failure(`${part.name}: ${summarize(error)}`, adviceFor(error));
  }
}

const probes = 5;

/** Connects, and takes the median of a few round trips. */
async function measure(
  part: { connect(): Promise<void> },
  probe: (() => Promise<unknown>) | undefined,
): Promise<string> {
  const connecting = await time(() => part.connect());
  if (probe === undefined) return `connected in ${formatSpan(connecting)}; it cannot be looked into`;
  const spans: number[] = [];
  for (let round = 0; round < probes; round += 1) spans.push(await time(probe));
  const median = spans.sort((one, other) => one - other)[Math.floor(probes / 2)] ?? 0;
  return `connected in ${formatSpan(connecting)}, round trip ${formatSpan(median)}`;
}

async function time(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

function adviceFor(error: unknown): string {
  if (isTaskferryError(error, "PACKAGE_MISSING")) return "Install the package, as the message says.";
  if (isTaskferryError(error, "BROKER_UNAVAILABLE"))
    return "Is the server running, and do host, port, user and password in the URL fit? Does a firewall stand between?";
  if (isTaskferryError(error)) return "Change the configuration, as the message says.";
  return "Check the URL and the server; --stack shows more.";
}
