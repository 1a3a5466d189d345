/** What a check found, and what to do about it. */
export interface Finding {
  /** What was looked at, such as `node` or `broker`. */
  readonly check: string;
  /** `ok`; `warning`: it works, yet look at it; `failure`: it does not work; `skipped`: something else must be mended first. */
  readonly status: "ok" | "warning" | "failure" | "skipped";
  readonly message: string;
  /** What to do; present for warnings and failures. */
  readonly advice?: string;
}

/** The findings of one check. */
export interface Check {
  ok(message: string): void;
  warning(message: string, advice: string): void;
  failure(message: string, advice: string): void;
  skipped(message: string): void;
  readonly findings: readonly Finding[];
}

export function createCheck(check: string): Check {
  const findings: Finding[] = [];
  return {
    findings,
    ok: (message) => void findings.push({ check, status: "ok", message }),
    warning: (message, advice) => void findings.push({ check, status: "warning", message, advice }),
    failure: (message, advice) => void findings.push({ check, status: "failure", message, advice }),
    skipped: (message) => void findings.push({ check, status: "skipped", message }),
  };
}
