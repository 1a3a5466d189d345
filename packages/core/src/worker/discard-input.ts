import type { Delivery } from "../broker.ts";
import type { Logger } from "../logger.ts";
import type { Protection } from "../protection/protection.ts";
import type { UnderWay } from "./under-way.ts";

export interface DiscardParts {
  readonly protection: Protection;
  readonly queue: string;
  readonly logger: Logger;
}

/** Removes what was kept beside a message that has ended. A failure costs room until its time is over, nothing else. */
export function createInputDiscarder(
  { protection, queue, logger }: DiscardParts,
  underWay: UnderWay,
): (delivery: Delivery) => void {
  const onError = (error: unknown): void => logger.warn({ error, queue }, "a large input could not be removed");
  return ({ message }) => {
    const discarding = message === undefined ? undefined : protection.discardInput(message);
    if (discarding !== undefined) void underWay.track(discarding).catch(onError);
  };
}
