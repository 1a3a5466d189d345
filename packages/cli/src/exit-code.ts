/** The code of a process that was stopped by a signal before its work was over. */
export function codeOfSignal(signal: "SIGINT" | "SIGTERM"): number {
  return signal === "SIGINT" ? 130 : 143;
}
