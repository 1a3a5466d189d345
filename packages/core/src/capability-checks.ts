import type { Broker, BrokerCapabilities } from "./broker.ts";
import { ConfigurationError, UnsupportedCapabilityError } from "./errors.ts";
import { defaultPriority, type Message } from "./message.ts";
import type { StateStore } from "./state-store.ts";
import type { ResolvedTaskOptions } from "./task-options.ts";

/** Refuses what a broker cannot keep of one enqueue. @throws UnsupportedCapabilityError */
export function checkPublishable(
  { name, capabilities }: Broker,
  message: Pick<Message, "task" | "priority" | "policy">,
  delay: number,
): void {
  if (delay > 0 && capabilities.delay === "refused")
    throw unsupported("delay", `${name} keeps no delays: enqueue ${message.task} without \`delay\` and \`at\`.`);
  if ((message.priority ?? defaultPriority) !== defaultPriority && capabilities.priority === "refused") {
    throw unsupported("priority", `${name} keeps no priorities: enqueue ${message.task} without \`priority\`.`);
  }
  if (message.policy !== undefined)
    checkPolicy(name, capabilities, {
      task: message.task,
      attempts: message.policy.attempts,
      acknowledge: message.policy.acknowledge,
    });
}

/** @throws UnsupportedCapabilityError: `broker` delivers to one worker, and offers nothing that delivers to all. */
export function refuseBroadcast({ name }: Pick<Broker, "name">, task: string): never {
  throw unsupported(
    "receivers",
    `${name} cannot deliver to every worker, and the task ${task} is defined with \`broadcast: true\`. ` +
      "Set `broadcast` of the configuration to a broker that can, such as redisPubSub or a redis+pubsub: URL.",
  );
}

/** What the tasks of a worker need. */
interface CheckedParts {
  readonly broker: Broker;
  readonly broadcast: Broker | undefined;
  readonly state: StateStore | undefined;
}

/**
 * Refuses tasks that what is configured cannot run, as a worker starts.
 *
 * @throws UnsupportedCapabilityError; ConfigurationError `STATE_REQUIRED`.
 */
export function checkTasks(
  tasks: Iterable<{ readonly name: string; readonly options: ResolvedTaskOptions }>,
  { broker, broadcast, state }: CheckedParts,
): void {
  for (const { name, options } of tasks) {
    checkRunnable(options.broadcast ? (broadcast ?? refuseBroadcast(broker, name)) : broker, name, options);
    checkState(state, name, options);
  }
}

/** Refuses what a broker cannot keep of a task's definition. */
function checkRunnable({ name, capabilities }: Broker, task: string, options: ResolvedTaskOptions): void {
  checkPolicy(name, capabilities, { task, attempts: options.retry.attempts, acknowledge: options.acknowledge });
  if (options.limit === undefined) return;
  for (const capability of ["redelivery", "delay"] as const) {
    if (capabilities[capability] !== "refused") continue;
    const text = `${name} cannot put a task off until its limit has room: give the task ${task} no \`limit\`, or choose a broker with \`${capability}\`.`;
    throw unsupported(capability, text);
  }
}

/** Refuses options that need a state store where there is none. */
function checkState(state: StateStore | undefined, task: string, options: ResolvedTaskOptions): void {
  const needing = {
    claim: options.claim,
    track: options.track,
    limit: options.limit !== undefined,
    unique: options.unique !== undefined,
  };
  const option = Object.entries(needing).find(([, isNeeded]) => isNeeded)?.[0];
  if (state !== undefined || option === undefined) return;
  throw new ConfigurationError(
    "STATE_REQUIRED",
    `The task ${task} is defined with \`${option}\`, which needs a state store. Set \`state\`, or a broker or result backend that offers one.`,
  );
}

interface DemandedPolicy {
  readonly task: string;
  readonly attempts: number | undefined;
  readonly acknowledge: string | undefined;
}

function checkPolicy(
  broker: string,
  capabilities: BrokerCapabilities,
  { task, attempts, acknowledge }: DemandedPolicy,
): void {
  if ((attempts ?? 1) > 1 && (capabilities.redelivery === "refused" || capabilities.delay === "refused")) {
    throw unsupported("redelivery", `${broker} cannot retry: give the task ${task} \`retry: { attempts: 1 }\`.`);
  }
  if (capabilities.delivery === "at-most-once" && acknowledge !== undefined && acknowledge !== "received") {
    throw unsupported(
      "delivery",
      `${broker} delivers at most once: give the task ${task} \`acknowledge: "received"\`.`,
    );
  }
}

function unsupported(capability: keyof BrokerCapabilities, message: string): UnsupportedCapabilityError {
  return new UnsupportedCapabilityError(capability, message);
}
