const needed = [20, 19];

/** Ends the process with one clear line when this Node is too old for taskferry. */
export function requireNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > needed[0] || (major === needed[0] && minor >= needed[1])) return;
  console.error(
    `taskferry needs Node ${needed.join(".")} or newer, and this is Node ${process.versions.node}. ` +
      "Install a newer one (https://nodejs.org), then run the command again.",
  );
  process.exit(1);
}
