import { expect, test } from "vitest";
import { composeScript } from "../src/queue/compose-script.ts";

const shared = `
local time = redis.call('TIME')
local now = time[1] * 1000
-- The last used.
local function last() return redis.call('GET', latest) end
local function first()
  return last()
end
local function unused() return 'first' end
`;

test("a script has what it needs, through others too, and gets no other keys", () => {
  const { keyNames, lua } = composeScript({
    name: "one",
    keyNames: ["done", "latest", "other"],
    shared,
    body: "-- unused other\nreturn { first(), 'now' }",
  });
  expect(keyNames).toEqual(["latest"]);
  expect(lua.split("\n")).toEqual([
    "local latest = KEYS[1]",
    "local function last() return redis.call('GET', latest) end",
    "local function first()",
    "  return last()",
    "end",
    "-- unused other",
    "return { first(), 'now' }",
  ]);
});
