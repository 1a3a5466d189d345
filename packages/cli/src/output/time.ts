/** Epoch milliseconds as a date and time in UTC, to the second. */
export function formatTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Milliseconds in the unit that suits them. */
export function formatSpan(milliseconds: number): string {
  if (milliseconds < 10) return `${Number(milliseconds.toFixed(1))} ms`;
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${Number((milliseconds / 1_000).toFixed(1))} s`;
  if (milliseconds < 3_600_000) return `${Number((milliseconds / 60_000).toFixed(1))} min`;
  if (milliseconds < 86_400_000) return `${Number((milliseconds / 3_600_000).toFixed(1))} h`;
  return `${Number((milliseconds / 86_400_000).toFixed(1))} d`;
}
