/** Steps from a value to a part of it: keys of objects, indexes of arrays, and the parts of a tagged value such as `<key 0>`. */
export type PathStep = string | number | PartStep;

/** A step into something that has neither keys nor indexes in JavaScript: an entry of a Map, a member of a Set. */
export interface PartStep {
  readonly part: string;
}

const longestKey = 60;
const plainKey = /^[A-Za-z_$][\w$]*$/;

/** Writes a path as JavaScript would: `$.a[3]["the key"]`. Long keys are cut, so that a hostile one cannot fill a log. */
export function formatPath(steps: readonly PathStep[]): string {
  return `$${steps.map(formatStep).join("")}`;
}

function formatStep(step: PathStep): string {
  if (typeof step === "number") return `[${step}]`;
  if (typeof step === "object") return `<${step.part}>`;
  const key = step.length > longestKey ? `${step.slice(0, longestKey)}…` : step;
  return plainKey.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
