import { describe, expect, test } from "vitest";
import { classify, isReadOnly } from "../src/faults.ts";

function reply(text: string): Error {
  return Object.assign(new Error(text), { name: "ReplyError" });
}

describe("what Redis answers, and what it means", () => {
  test.each([
    ["OOM command not allowed when used memory > 'maxmemory'. script: ab, on @user_script:9.", "full"],
    [
      "ERR Error running script (call to f_ab): @user_script:9: @user_script: 9: -OOM command not allowed when used memory > 'maxmemory'.",
      "full",
    ],
    [
      "ERR Error running script (call to f_ab): @user_script:9: @user_script: 9: -READONLY You can't write against a read only replica.",
      "passing",
    ],
    ["LOADING Redis is loading the dataset in memory", "passing"],
    ["READONLY You can't write against a read only replica.", "passing"],
    ["CLUSTERDOWN The cluster is down", "passing"],
    ["UNBLOCKED force unblock from blocking operation", "passing"],
    ["ERR max number of clients reached", "passing"],
    ["WRONGPASS invalid username-password pair or user is disabled.", "denied"],
    ["NOAUTH Authentication required.", "denied"],
    ["NOPERM this user has no permissions to run the 'evalsha' command", "denied"],
    ["WRONGTYPE Operation against a key holding the wrong kind of value", "other"],
    ["ERR user_script:7: too many results to unpack script: ab", "other"],
  ])("%s: %s", (text, fault) => {
    expect(classify(reply(text))).toBe(fault);
  });

  test("a connection that breaks passes", () => {
    expect(classify(new Error("Connection is closed."))).toBe("passing");
  });

  test("a replica is recognised, also by a script on Redis 6", () => {
    expect(isReadOnly(reply("READONLY You can't write against a read only replica."))).toBe(true);
    expect(
      isReadOnly(
        reply("ERR Error running script (call to f_ab): @user_script:1: @user_script: 1: -READONLY You can't"),
      ),
    ).toBe(true);
    expect(isReadOnly(reply("OOM command not allowed"))).toBe(false);
  });
});
