// The entry of the thread while developing, when this package runs from its sources. A thread does not inherit how its
// process reads TypeScript, and loading that takes ten times as long as the thread itself: a build is used if it is newer.
import { existsSync, readdirSync, statSync } from "node:fs";

const source = new URL("src/", import.meta.url);
const built = new URL("dist/", import.meta.url);

function filesOf(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true }).map((name) => ({ name, ...statSync(new URL(name, folder)) }));
}

/** Not one that is under way just now, which has files that are empty. */
function isBuilt() {
  const outputs = filesOf(built).filter(({ name }) => name.endsWith(".js"));
  const changedAt = Math.max(...filesOf(source).map(({ mtimeMs }) => mtimeMs));
  return outputs.length > 0 && outputs.every(({ mtimeMs, size }) => mtimeMs > changedAt && size > 0);
}

if (isBuilt()) {
  await import(new URL("thread/main.js", built).href);
} else {
  const { register } = await import("tsx/esm/api");
  register();
  await import("./src/thread/main.ts");
}
