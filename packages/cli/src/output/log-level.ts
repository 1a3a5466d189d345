export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

/** From which level up lines are written. */
export type LogLevel = (typeof logLevels)[number];

export function reaches(level: LogLevel, threshold: LogLevel): boolean {
  return logLevels.indexOf(level) >= logLevels.indexOf(threshold);
}
