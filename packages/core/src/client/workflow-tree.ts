import type { StoredOutcome } from "../outcome.ts";
import { hasOwnOutcome, type PlanNode } from "../plan.ts";
import type { GroupStore } from "../plans/group-store.ts";
import type { ResultBackend } from "../result-backend.ts";
import { inLanes } from "./lanes.ts";
import { type PlacedNode, place } from "./workflow-layout.ts";

/** A node of a workflow, as far as it is known. */
export interface WorkflowTree {
  readonly id: string;
  readonly kind: PlanNode["kind"];
  /** The task's name, for a task. */
  readonly task?: string;
  /** `waiting`: for what comes before it. `pending`: enqueued, running, or under way in its members. */
  readonly status: "waiting" | "pending" | StoredOutcome["status"];
  /** The steps of a chain, the members of a group or map; of a task with a fallback, the task itself and the fallback. */
  readonly members: readonly WorkflowTree[];
}

export interface TreeParts {
  readonly results: Pick<ResultBackend, "get">;
  readonly groups: GroupStore | undefined;
}

const pageSize = 500;

/** Reads the state of each node: of what has outcomes, and of what follows from them. */
export async function readTree(node: PlanNode, id: string, { results, groups }: TreeParts): Promise<WorkflowTree> {
  const sizes = new Map<string, number>();
  for (;;) {
    const placed = place(node, id, {
      name: hasOwnOutcome(node) ? undefined : id,
      sizeOf: (map) => sizes.get(map) ?? 0,
    });
    const open = mapsOf(placed).filter((map) => !sizes.has(map));
    const found = await inLanes(open, (map) => sizeOf(map, groups));
    for (const [index, map] of open.entries()) sizes.set(map, found[index] ?? 0);
    if (found.some((size) => size > 0)) continue;
    const ids = outcomeIds(placed);
    const pages = Array.from({ length: Math.ceil(ids.length / pageSize) }, (_, page) =>
      ids.slice(page * pageSize, (page + 1) * pageSize),
    );
    const outcomes = (await inLanes(pages, (page) => results.get(page))).flat();
    return describe(placed, new Map(ids.map((key, index) => [key, outcomes[index]])), true);
  }
}

/** Counts tasks: those that have ended, and all that are known. A fallback counts once it is wanted. */
export function countTasks(tree: WorkflowTree): { readonly done: number; readonly total: number } {
  let [done, total] = [0, 0];
  const count = ({ kind, status, members }: WorkflowTree): void => {
    const [first, fallback] = kind === "task" ? members : [];
    if (first !== undefined && fallback !== undefined) {
      count(first);
      if (isBroken(first.status)) count(fallback);
    } else if (kind === "task") {
      total += 1;
      if (isOver(status)) done += 1;
    } else for (const member of members) count(member);
  };
  count(tree);
  return { done, total };
}

/** A map that has not begun has no size yet. */
async function sizeOf(map: string, groups: GroupStore | undefined): Promise<number> {
  return (await groups?.find(map))?.size ?? 0;
}

function mapsOf({ node, id, members }: PlacedNode): readonly string[] {
  return [...(node.kind === "map" ? [id] : []), ...members.flatMap(mapsOf)];
}

function outcomeIds({ outcomeId, members }: PlacedNode): readonly string[] {
  const own = outcomeId === undefined ? [] : [outcomeId];
  return [...new Set([...own, ...members.flatMap(outcomeIds)])];
}

function describe(
  { node, id, outcomeId, members }: PlacedNode,
  outcomes: ReadonlyMap<string, StoredOutcome | undefined>,
  isReached: boolean,
): WorkflowTree {
  const own = outcomeId === undefined ? undefined : outcomes.get(outcomeId)?.status;
  let isOpen = isReached;
  const described = members.map((member) => {
    const tree = describe(member, outcomes, isOpen);
    if (node.kind === "chain") isOpen &&= tree.status === "succeeded";
    if (node.kind === "task") isOpen &&= isBroken(tree.status);
    return tree;
  });
  const status = own ?? statusOfMembers(node, described) ?? (isReached ? "pending" : "waiting");
  return { id, kind: node.kind, ...(node.kind === "task" && { task: node.task }), status, members: described };
}

/** What has no outcome of its own has ended as its members have. */
function statusOfMembers(node: PlanNode, members: readonly WorkflowTree[]): StoredOutcome["status"] | undefined {
  const statuses = members.map(({ status }) => status);
  const [first, fallback] = statuses;
  if (first === undefined) return undefined;
  if (node.kind === "task") return endedOf(isBroken(first) ? fallback : first);
  const isCollecting = "onFailure" in node && node.onFailure === "collect";
  const broken = isCollecting ? undefined : statuses.find(isBroken);
  if (broken !== undefined) return endedOf(broken);
  return statuses.every(isOver) ? "succeeded" : undefined;
}

function endedOf(status: WorkflowTree["status"] | undefined): StoredOutcome["status"] | undefined {
  return status === "waiting" || status === "pending" ? undefined : status;
}

function isOver(status: WorkflowTree["status"]): boolean {
  return endedOf(status) !== undefined;
}

function isBroken(status: WorkflowTree["status"]): boolean {
  return status === "failed" || status === "cancelled";
}
