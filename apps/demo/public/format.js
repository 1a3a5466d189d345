/** Bytes for people: "820 KiB", "3.3 MiB". */
export function bytes(count) {
  if (count < 1024 * 1024) return `${Math.max(1, Math.round(count / 1024))} KiB`;
  return `${(count / 1024 / 1024).toFixed(1)} MiB`;
}

/** Milliseconds for people: "2.4 ms", "8 ms", "340 ms", "1.2 s". */
export function duration(milliseconds) {
  if (!Number.isFinite(milliseconds)) return "–";
  if (milliseconds < 10 && !Number.isInteger(milliseconds)) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

export function plural(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
}
