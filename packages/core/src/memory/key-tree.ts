import type { StateKey } from "../state-store.ts";

interface Node<T> {
  value: T | undefined;
  children: Map<string, Node<T>> | undefined;
  /** The names of the children in order; made when it is asked for. */
  sorted: readonly string[] | undefined;
}

/** Values under keys of several segments, listed in order of their segments. */
export class KeyTree<T> {
  #root = createNode<T>();

  get(key: StateKey): T | undefined {
    let node: Node<T> | undefined = this.#root;
    for (const segment of key) node = node?.children?.get(segment);
    return node?.value;
  }

  set(key: StateKey, value: T): void {
    let node = this.#root;
    for (const segment of key) node = openChild(node, segment);
    node.value = value;
  }

  delete(key: StateKey): void {
    deleteUnder(this.#root, key, 0);
  }

  /** The values whose key begins with `prefix`, in order, from the first key after `after` on. */
  *under(prefix: StateKey, after?: StateKey): Generator<T> {
    let node: Node<T> | undefined = this.#root;
    for (const segment of prefix) node = node?.children?.get(segment);
    if (node !== undefined) yield* walk(node, after?.slice(prefix.length));
  }
}

function createNode<T>(): Node<T> {
  return { value: undefined, children: undefined, sorted: undefined };
}

function openChild<T>(node: Node<T>, segment: string): Node<T> {
  node.children ??= new Map();
  const known = node.children.get(segment);
  if (known !== undefined) return known;
  const child = createNode<T>();
  node.children.set(segment, child);
  node.sorted = undefined;
  return child;
}

/** Answers whether the node is empty now. */
function deleteUnder<T>(node: Node<T>, key: StateKey, depth: number): boolean {
  const segment = key[depth];
  if (segment === undefined) node.value = undefined;
  const child = segment === undefined ? undefined : node.children?.get(segment);
  if (segment !== undefined && child !== undefined && deleteUnder(child, key, depth + 1)) {
    node.children?.delete(segment);
    node.sorted = undefined;
  }
  return node.value === undefined && (node.children === undefined || node.children.size === 0);
}

/** @param after - what is left of the key after which to begin; absent: from the node itself on. */
function* walk<T>(node: Node<T>, after: StateKey | undefined): Generator<T> {
  if (after === undefined && node.value !== undefined) yield node.value;
  if (node.children === undefined) return;
  node.sorted ??= [...node.children.keys()].sort();
  const first = after?.[0];
  const names = node.sorted;
  for (let index = first === undefined ? 0 : lowerBound(names, first); index < names.length; index += 1) {
    const name = names[index] as string;
    const child = node.children.get(name);
    if (child !== undefined) yield* walk(child, name === first ? after?.slice(1) : undefined);
  }
}

function lowerBound(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
