import type { RedisConversation } from "./redis-conversation.ts";

/** A node as `CLUSTER NODES` tells of it. */
export interface ClusterNode {
  readonly id: string;
  readonly port: number;
  /** The id of the node that it copies; `undefined` for a master. */
  readonly masterId: string | undefined;
  /** Whether others may talk to it: known to all, and not held for dead. */
  readonly isSound: boolean;
  readonly slots: readonly (readonly [first: number, last: number])[];
}

export async function readClusterNodes(redis: RedisConversation): Promise<readonly ClusterNode[]> {
  const lines = String(await redis.ask("CLUSTER", "NODES")).split("\n");
  return lines.filter((line) => line !== "").map(readNode);
}

export function hasSlot({ slots }: ClusterNode, slot: number): boolean {
  return slots.some(([first, last]) => first <= slot && slot <= last);
}

function readNode(line: string): ClusterNode {
  const [id = "", address = "", flags = "", master = "-", , , , , ...ranges] = line.split(" ");
  return {
    id,
    port: Number(/:(\d+)@/.exec(address)?.[1]),
    masterId: master === "-" ? undefined : master,
    isSound: !/fail|handshake|noaddr/.test(flags),
    // What is in brackets moves, and belongs to the node still.
    slots: ranges.filter((range) => !range.startsWith("[")).map(readRange),
  };
}

function readRange(range: string): readonly [number, number] {
  const [first = "", last = first] = range.split("-");
  return [Number(first), Number(last)];
}
