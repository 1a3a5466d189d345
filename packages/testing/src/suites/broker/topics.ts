import { adminTopic } from "./admin.ts";
import { atMostOnceTopic } from "./at-most-once.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { capabilitiesTopic } from "./capabilities.ts";
import { crashTopic } from "./crash.ts";
import { deadLettersTopic } from "./dead-letters.ts";
import { dedupeTopic } from "./dedupe.ts";
import { delayTopic } from "./delay.ts";
import { eventsTopic } from "./events.ts";
import { halfOpenTopic } from "./half-open.ts";
import { leasesTopic } from "./leases.ts";
import { lifecycleTopic } from "./lifecycle.ts";
import { lostRepliesTopic } from "./lost-replies.ts";
import { malformedTopic } from "./malformed.ts";
import { orderingTopic } from "./ordering.ts";
import { outageTopic } from "./outage.ts";
import { ownershipTopic } from "./ownership.ts";
import { priorityTopic } from "./priority.ts";
import { publishTopic } from "./publish.ts";
import { releaseTopic } from "./release.ts";
import { restartTopic } from "./restart.ts";
import { retryTopic } from "./retry.ts";
import { settleTopic } from "./settle.ts";
import { stopTopic } from "./stop.ts";
import { takeTopic } from "./take.ts";
import { windowTopic } from "./window.ts";

/** The rules of a broker, in the order of a message's life; then what can go wrong. */
export const brokerTopics: readonly BrokerTopic[] = [
  lifecycleTopic,
  capabilitiesTopic,
  eventsTopic,
  atMostOnceTopic,
  publishTopic,
  dedupeTopic,
  takeTopic,
  windowTopic,
  orderingTopic,
  priorityTopic,
  delayTopic,
  leasesTopic,
  settleTopic,
  retryTopic,
  releaseTopic,
  deadLettersTopic,
  ownershipTopic,
  stopTopic,
  malformedTopic,
  crashTopic,
  adminTopic,
  outageTopic,
  halfOpenTopic,
  restartTopic,
  lostRepliesTopic,
];
