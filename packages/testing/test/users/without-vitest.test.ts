import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

test("the users' entry loads no vitest", () => {
  const program = `
    const { runHandler } = await import(${JSON.stringify(new URL("../../src/users.ts", import.meta.url).href)});
    console.log(typeof runHandler, process.moduleLoadList.length > 0);
  `;
  const args = [
    "--conditions=@taskferry/source",
    "--import",
    "tsx",
    "--import",
    "data:text/javascript,import{register}from'node:module';register('data:text/javascript,export async function resolve(s,c,n){if(s===%22vitest%22)throw new Error(%22vitest was asked for%22);return n(s,c)}')",
    "--input-type=module",
    "--eval",
    program,
  ];
  expect(execFileSync(process.execPath, args, { encoding: "utf8" })).toContain("function true");
});
