import type { Connections } from "@taskferry/core";
import type { FaultProxy } from "../../fault-proxy/fault-proxy.ts";
import type { PrivateServer } from "../../servers/private-server.ts";
import type { Configure, FaultPlace } from "./fault-place.ts";

/** What a reply may be cut from. */
export type FaultOperation = "publish" | "take" | "settle";

/** What a package brings along, so that its broker can be tried. */
export interface FaultSubject {
  /** Makes broker, results and state in a place. */
  readonly configure: Configure;
  /** The module that exports this very function as `configure`: every process of a test imports it. */
  readonly module?: URL;
  /** Starts a server for one test. It must keep what it has acknowledged over a SIGKILL. */
  readonly startServer?: () => Promise<PrivateServer>;
  /** Puts bytes into a queue as another program would. */
  readonly insertRaw?: (place: FaultPlace, queue: string, bytes: Uint8Array) => Promise<void>;
  /** Has the proxy cut the next reply to an operation, once the server has carried it out: `proxy.cutAfterRequest(...)`. */
  readonly cutNextReply?: (proxy: FaultProxy, operation: FaultOperation) => void;
}

/** What a subject may be unable to offer. */
export type FaultOffer = "processes" | "server" | "insertRaw" | "cutNextReply";

/** What a rule cannot do without. */
export type FaultNeed =
  | FaultOffer
  | "state"
  | "at-least-once"
  | "delay"
  | "redelivery"
  | "deliveryCount"
  | "deadLetters"
  | "dedupe"
  | "dead-inspection"
  /** Minutes. */
  | "soak";

const places = {
  processes: "module",
  server: "startServer",
  insertRaw: "insertRaw",
  cutNextReply: "cutNextReply",
} as const;

/** Why a rule with this need does not apply; throws when the subject should offer it and does not. */
export function lackOf(
  subject: FaultSubject,
  { broker: { capabilities }, state }: Pick<Connections, "broker" | "state">,
  need: Exclude<FaultNeed, "soak">,
): string | undefined {
  if (need === "state") return state === undefined ? "there is no state store" : undefined;
  if (need === "at-least-once") return capabilities.delivery === need ? undefined : "the broker delivers at most once";
  if (need === "dead-inspection") {
    const { inspection, inspects } = capabilities;
    const isInspected = inspection !== "refused" && (inspects?.includes("dead") ?? true);
    return isInspected ? undefined : "the broker does not look into dead letters";
  }
  if (!isOffer(need)) return capabilities[need] === "refused" ? `the broker refuses ${need}` : undefined;
  if (subject[places[need]] !== undefined) return undefined;
  throw new Error(
    `Expected the suite to be given ${places[need]}. Give it, or say in \`cannot: { ${need}: "why" }\` why there can be none.`,
  );
}

function isOffer(need: FaultNeed): need is FaultOffer {
  return need in places;
}
