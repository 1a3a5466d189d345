import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findConfigFile, loadConfig } from "../src/config-file.ts";
import { createProject } from "./project.ts";

const loadModule = (url: string): Promise<Record<string, unknown>> => import(/* @vite-ignore */ url);

function load(cwd: string, { path, env = {} }: { readonly path?: string; readonly env?: Record<string, string> } = {}) {
  return loadConfig({ path, terminal: { cwd, env }, loadModule });
}

describe("the configuration file", () => {
  test("is the nearest from the working directory up, compiled before TypeScript", async () => {
    await using project = await createProject({
      "taskferry.config.mts": "",
      "a/taskferry.config.ts": "",
      "a/b/c/file.txt": "",
    });
    expect(findConfigFile(join(project.folder, "a/b/c"))).toBe(join(project.folder, "a/taskferry.config.ts"));
    expect(findConfigFile(project.folder)).toBe(join(project.folder, "taskferry.config.mts"));
    const compiled = await project.write("a/taskferry.config.js", "");
    expect(findConfigFile(join(project.folder, "a/b/c"))).toBe(compiled);
  });

  test("is no folder of that name", async () => {
    await using project = await createProject({ "a/taskferry.config.js/x": "", "taskferry.config.mjs": "" });
    expect(findConfigFile(join(project.folder, "a"))).toBe(join(project.folder, "taskferry.config.mjs"));
  });

  test("can be named, and its own folder means nothing for relative paths", async () => {
    await using project = await createProject({
      "deep/package.json": "{}",
      "deep/down/x.txt": "",
      "settings/other.mjs": 'export default { broker: "memory:", lease: "1m" };',
    });
    const cwd = join(project.folder, "deep/down");
    const { config, file, note } = await load(cwd, { path: "../../settings/other.mjs" });
    expect(config).toEqual({ broker: "memory:", lease: "1m", root: join(project.folder, "deep") });
    expect(file).toBe(join(project.folder, "settings/other.mjs"));
    expect(note).toBeUndefined();
  });

  test("may set the root, from the working directory", async () => {
    await using project = await createProject({ "taskferry.config.mjs": 'export default { root: "elsewhere" };' });
    expect((await load(project.folder)).config.root).toBe(join(project.folder, "elsewhere"));
  });

  test.each([
    ["export const config = {};", /default export is missing/],
    ["export default () => ({});", /default export is a function/],
    ["export default Promise.resolve({});", /default export is a promise/],
    ["export default [];", /default export is a list/],
    ["export default {", /cannot be loaded/],
  ])("must export a configuration: %s", async (text, message) => {
    await using project = await createProject({ "taskferry.config.mjs": text });
    await expect(load(project.folder)).rejects.toMatchObject({
      code: "CONFIGURATION_INVALID",
      message: expect.stringMatching(message),
    });
  });

  test("must be there when it is named", async () => {
    await using project = await createProject();
    await expect(load(project.folder, { path: "x.ts" })).rejects.toThrow(join(project.folder, "x.ts"));
  });
});

describe("without a configuration file", () => {
  test("the environment says where the broker is", async () => {
    await using project = await createProject();
    const env = { TASKFERRY_BROKER: "redis://me:canary@host", TASKFERRY_RESULTS: "memory:", TASKFERRY_STATE: "" };
    const { config, file, note } = await load(project.folder, { env });
    expect(config).toEqual({
      root: project.folder,
      broker: env.TASKFERRY_BROKER,
      results: "memory:",
      state: undefined,
    });
    expect(file).toBeUndefined();
    expect(note).toBe(
      `No taskferry.config.{js,mjs,ts,mts} from ${project.folder} up; using TASKFERRY_BROKER (redis://***@host).`,
    );
  });

  test("and without that the default broker is named", async () => {
    await using project = await createProject();
    expect((await load(project.folder)).note).toContain("the default broker (sqlite:.taskferry/queue.db)");
  });
});
