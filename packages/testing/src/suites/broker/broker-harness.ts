import type { Broker } from "@taskferry/core";
import { expectOffered, type Fault, type Harness } from "../harness.ts";

export interface BrokerHarness extends Harness<Broker, BrokerOperation> {
  /** Puts bytes into a queue as some other program would, where messages of the queue are waiting. */
  insertRaw?(queue: string, bytes: Uint8Array): Promise<void>;

  /**
   * Cuts off a value for good, as SIGKILL of its process would. Absent: the suite stops to use the value, which is
   * enough where leases end by themselves.
   */
  crash?(broker: Broker): Promise<void>;
}

export type BrokerOperation = "publish" | "take" | "extend" | "settle";

/** What a harness may be unable to do. */
export type BrokerFault = Fault | "insertRaw" | "crash";

/** What a rule cannot do without: a capability that is not refused, a promise, or a fault. */
export type BrokerNeed =
  | "at-least-once"
  | "at-most-once"
  | "one-receiver"
  | "durable"
  | "delay"
  | "priority"
  | "ordering"
  | "redelivery"
  | "lease"
  | "deliveryCount"
  | "deadLetters"
  | "dedupe"
  /** Every section, and the list of queues, can be looked into. */
  | "inspection"
  /** The dead letters can. */
  | "dead-inspection"
  | BrokerFault;

const faults: readonly BrokerNeed[] = ["restart", "outage", "freeze", "cutNextReply", "insertRaw", "crash"];

/** Why a rule with this need does not apply to the broker; throws when the harness should offer it and does not. */
export function lackOf(harness: BrokerHarness, broker: Broker, need: BrokerNeed): string | undefined {
  const { capabilities } = broker;
  if (need === "at-least-once" || need === "at-most-once") {
    return capabilities.delivery === need ? undefined : `the broker delivers ${capabilities.delivery}`;
  }
  if (need === "one-receiver") return capabilities.receivers === "one" ? undefined : "every worker receives";
  if (need === "inspection" || need === "dead-inspection") return lackOfInspection(broker, need);
  if (!isFault(need)) return capabilities[need] === "refused" ? `the broker refuses ${need}` : undefined;
  expectOffered(harness, need);
  return undefined;
}

function lackOfInspection(
  { capabilities: { inspection, inspects } }: Broker,
  need: "inspection" | "dead-inspection",
): string | undefined {
  if (inspection === "refused") return "the broker refuses inspection";
  if (inspects === undefined || (need === "dead-inspection" && inspects.includes("dead"))) return undefined;
  return `the broker can look into nothing but ${inspects.join(", ")}`;
}

function isFault(need: BrokerNeed): need is BrokerFault {
  return faults.includes(need);
}
