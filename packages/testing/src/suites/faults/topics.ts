import { badInputTopic } from "./bad-input.ts";
import { cancellationsTopic, unheardCancellationsTopic } from "./cancellations.ts";
import { crashesTopic } from "./crashes.ts";
import { delaysTopic } from "./delays.ts";
import { fairnessTopic } from "./fairness.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { halfOpenTopic } from "./half-open.ts";
import { leasesTopic } from "./leases.ts";
import { limitsTopic } from "./limits.ts";
import { lostRepliesTopic } from "./lost-replies.ts";
import { outagesTopic } from "./outages.ts";
import { poisonTopic } from "./poison.ts";
import { resetsTopic } from "./resets.ts";
import { resultsTopic } from "./results.ts";
import { schedulesTopic } from "./schedules.ts";
import { shutdownTopic } from "./shutdown.ts";
import { workflowsTopic } from "./workflows.ts";

export const faultTopics: readonly FaultTopic[] = [
  crashesTopic,
  poisonTopic,
  leasesTopic,
  lostRepliesTopic,
  outagesTopic,
  resetsTopic,
  halfOpenTopic,
  resultsTopic,
  badInputTopic,
  shutdownTopic,
  cancellationsTopic,
  unheardCancellationsTopic,
  workflowsTopic,
  schedulesTopic,
  fairnessTopic,
  delaysTopic,
  limitsTopic,
];
