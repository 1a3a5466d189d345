import { type Gate, shutGate, waitOutside } from "./gate.ts";

/** The gates of the threads that run. */
const gates = new Set<Gate>();

/** Milliseconds that the end of the process waits for a statement to end. */
const longestWait = 2_000;

/** `process.exit()` ends threads wherever they are: from now on it waits until this one is outside of the driver. */
export function holdExit(gate: Gate): () => void {
  if (gates.size === 0) process.on("exit", shutAll);
  gates.add(gate);
  return () => {
    gates.delete(gate);
    if (gates.size === 0) process.off("exit", shutAll);
  };
}

function shutAll(): void {
  for (const gate of gates) shutGate(gate);
  for (const gate of gates) waitOutside(gate, longestWait);
}
