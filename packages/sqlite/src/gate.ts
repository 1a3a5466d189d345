/**
 * Keeps a thread from being ended in the middle of a statement: the driver answers that by ending the whole process.
 * The thread goes through the gate to the driver and back; who wants to end the thread shuts the gate first, and waits
 * until the thread is outside.
 */
export type Gate = Int32Array<SharedArrayBuffer>;

const shut = 0;
const inside = 1;
const nap = 50;

export function createGate(): Gate {
  return new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
}

/** In the thread: calls the driver. With a shut gate it never returns, until the thread is ended. */
export function passThrough<T>(gate: Gate, call: () => T): T {
  Atomics.store(gate, inside, 1);
  if (Atomics.load(gate, shut) === 1) stayOutside(gate);
  try {
    return call();
  } finally {
    leave(gate);
  }
}

function leave(gate: Gate): void {
  Atomics.store(gate, inside, 0);
  if (Atomics.load(gate, shut) === 1) Atomics.notify(gate, inside);
}

function stayOutside(gate: Gate): never {
  leave(gate);
  // Naps, since the end of the thread is noticed between two of them.
  for (;;) Atomics.wait(gate, shut, 1, nap);
}

export function shutGate(gate: Gate): void {
  Atomics.store(gate, shut, 1);
}

export function isInside(gate: Gate): boolean {
  return Atomics.load(gate, inside) === 1;
}

/** Blocks until the thread is outside, at most `timeout` ms. */
export function waitOutside(gate: Gate, timeout: number): void {
  const end = performance.now() + timeout;
  while (isInside(gate) && performance.now() < end) Atomics.wait(gate, inside, 1, nap);
}
