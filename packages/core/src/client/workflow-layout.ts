import { hasOwnOutcome, type PlanNode } from "../plan.ts";

/** A node of a workflow with the id of its outcome, as `plan.ts` derives it. */
export interface PlacedNode {
  readonly node: PlanNode;
  readonly id: string;
  /** The id under which its outcome is stored; `undefined` where that is to be told from its members. */
  readonly outcomeId: string | undefined;
  readonly members: readonly PlacedNode[];
}

/**
 * Gives each node its id.
 *
 * @param name - the id that the outcome of the node has besides its own.
 * @param sizeOf - how many members a map has come to.
 */
export function place(
  node: PlanNode,
  id: string,
  { name, sizeOf }: { readonly name?: string | undefined; readonly sizeOf: (map: string) => number },
): PlacedNode {
  switch (node.kind) {
    case "task": {
      if (node.fallback === undefined) return { node, id: name ?? id, outcomeId: name ?? id, members: [] };
      const { fallback, ...first } = node;
      const members = [place(first, `${id}:try`, { sizeOf }), place(fallback, `${id}:else`, { name, sizeOf })];
      return { node, id, outcomeId: name, members };
    }
    case "chain": {
      const last = node.steps.length - 1;
      const members = node.steps.map((step, index) =>
        place(step, `${id}:${index}`, { name: index === last ? name : undefined, sizeOf }),
      );
      return { node, id, outcomeId: name, members };
    }
    case "group":
      return {
        node,
        id,
        outcomeId: name,
        members: node.members.map((member, index) => placeMember(member, `${id}:${index}`, sizeOf)),
      };
    case "map":
      return {
        node,
        id,
        outcomeId: name,
        members: Array.from({ length: sizeOf(id) }, (_, index) => placeMember(node.member, `${id}:${index}`, sizeOf)),
      };
  }
}

/** A member's outcome has the member's id, whatever the member is made of. */
function placeMember(node: PlanNode, id: string, sizeOf: (map: string) => number): PlacedNode {
  return place(node, id, hasOwnOutcome(node) ? { sizeOf } : { name: id, sizeOf });
}
