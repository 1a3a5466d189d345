// `node scripts/pnpm.mjs ARGUMENTS`: the pinned pnpm of this clone, for whoever has none, or another one.
import { bootstrap, pnpmScript } from "./bootstrap.mjs";
import { main, run } from "./steps.mjs";

await main(async () => {
  const env = await bootstrap();
  const { code } = await run(process.execPath, [pnpmScript, ...process.argv.slice(2)], { env });
  return code;
});
