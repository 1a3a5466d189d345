import { beforeAll, describe, expect, test } from "vitest";
import { type RanTest, runSuites } from "./fixtures/planted/run-suites.ts";

const skipped =
  "serializer with skips hostile bytes › no bytes at all are refused with NOT_DESERIALIZABLE [skipped: it is the reason]";
const unknown = "serializer with skips skip › no such test";
const cannot = "broker with a bare harness outage › take waits through it [cannot outage: there is no server]";
const lacking = "broker with a bare harness lost reply › of ack: the message is gone";
const refused = "broker with a bare harness restart › a take that waited goes on";
const unclosed = "result backend that cannot be closed get › an empty batch is answered by []";
const plain = "state store that says what it was asked for entries › an empty batch is answered by []";
const interrupting = "state store that says what it was asked for restart › revisions do not recur after it";

describe("rulebook", () => {
  let ran: ReadonlyMap<string, RanTest>;

  beforeAll(async () => {
    ran = await runSuites([skipped, unknown, cannot, lacking, refused, unclosed, plain, interrupting]);
  }, 120_000);

  test("a skipped test carries its reason in its name", () => {
    expect(ran.get(skipped)?.status).toBe("skipped");
  });

  test("a skip that names no test fails the suite", () => {
    expect(ran.get(unknown)?.status).toBe("failed");
    expect(ran.get(unknown)?.failureMessages.join()).toContain('got "no such test"');
  });

  test("what the harness cannot do is skipped, with the reason in the name", () => {
    expect(ran.get(cannot)?.status).toBe("skipped");
  });

  test("what the harness lacks without a reason fails the tests that need it", () => {
    for (const title of [lacking, refused]) {
      expect(ran.get(title)?.status).toBe("failed");
      expect(ran.get(title)?.failureMessages.join()).toContain("Expected the harness to offer");
    }
  });

  test("a harness is told whether its test interrupts", () => {
    expect(ran.get(plain)?.failureMessages.join()).toContain("interrupts: false");
    expect(ran.get(interrupting)?.failureMessages.join()).toContain("interrupts: true");
  });

  test("a failure to close fails the test that it was for", () => {
    expect(ran.get(unclosed)?.status).toBe("failed");
    expect(ran.get(unclosed)?.failureMessages.join()).toContain("disposing failed on purpose");
  });
});
