import { spawnProcess } from "@taskferry/testing";
import { expect, test } from "vitest";
import { temporaryFile } from "./temporary-file.ts";

type Said = { readonly type: "ready" } | { readonly type: "opened"; readonly error?: string };

const rounds = 6;
const open = (path: string) => ({ type: "open", path });

test("processes that open a new file at the same moment all get it", async () => {
  const entry = new URL("./fixtures/opener.ts", import.meta.url);
  await using one = await spawnProcess<Said>(entry);
  await using two = await spawnProcess<Said>(entry);
  await using three = await spawnProcess<Said>(entry);
  const openers = [one, two, three];
  for (const opener of openers) await opener.waitFor("ready");
  const errors: (string | undefined)[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const file = temporaryFile();
    for (const opener of openers) opener.send(open(file.path));
    for (const opener of openers) errors.push((await opener.waitFor("opened")).error);
    await file.remove();
  }
  expect(errors.filter((error) => error !== undefined)).toEqual([]);
});
