import { createCheck, type Finding } from "./finding.ts";

const least = [20, 19] as const;

export function checkNode(version = process.versions.node): readonly Finding[] {
  const check = createCheck("node");
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > least[0] || (major === least[0] && minor >= least[1])) check.ok(`Node ${version}`);
  else check.failure(`Node ${version}`, `taskferry needs Node ${least.join(".")} or newer: install one.`);
  return check.findings;
}
