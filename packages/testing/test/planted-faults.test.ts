import { beforeAll, describe, expect, test } from "vitest";
import { brokerFaults, remoteFaults, resultFaults, serializerFaults, stateFaults } from "./fixtures/planted/faults.ts";
import { type RanTest, runSuites } from "./fixtures/planted/run-suites.ts";

/** A fault, the rule that must notice it, and the sound one that must keep the rule. */
const cases = [
  ...brokerFaults.map(({ name, rule }) => ({ kind: "broker", name, rule, sound: "sound" })),
  ...remoteFaults.map(({ name, rule }) => ({ kind: "broker", name, rule, sound: "sound over a link" })),
  ...resultFaults.map(({ name, rule }) => ({ kind: "result backend", name, rule, sound: "sound" })),
  ...stateFaults.map(({ name, rule }) => ({ kind: "state store", name, rule, sound: "sound" })),
  ...serializerFaults.map(({ name, rule }) => ({ kind: "serializer", name, rule, sound: "sound" })),
].map((one) => ({
  ...one,
  faultyTitle: `${one.kind} ${one.name} ${one.rule}`,
  soundTitle: `${one.kind} ${one.sound} ${one.rule}`,
}));

describe("planted faults", () => {
  let ran: ReadonlyMap<string, RanTest>;

  beforeAll(async () => {
    ran = await runSuites(cases.flatMap(({ faultyTitle, soundTitle }) => [faultyTitle, soundTitle]));
  }, 300_000);

  test.each(cases)("a $kind that $name breaks: $rule", ({ faultyTitle, soundTitle }) => {
    expect(ran.get(soundTitle), "the same rule, nothing planted").toMatchObject({ status: "passed" });
    const faulty = ran.get(faultyTitle);
    expect(faulty, "the rule, with the fault").toMatchObject({ status: "failed" });
    expect(faulty?.failureMessages.join("\n"), "why it failed").not.toMatch(/Expected the harness/);
  });
});
