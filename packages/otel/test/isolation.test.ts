import { spawnProcess } from "@taskferry/testing";
import { expect, onTestFinished, test } from "vitest";
import type { Sight } from "./fixtures/isolated-tasks.ts";
import type { PlainSpan } from "./fixtures/telemetry.ts";

interface Told {
  readonly type: "told";
  readonly sights: Readonly<Record<string, Sight>>;
  readonly spans: readonly PlainSpan[];
}

async function runIn(handlers: string): Promise<Told> {
  const entry = new URL("./fixtures/isolated-worker.ts", import.meta.url);
  const worker = await spawnProcess<Told>(entry, { args: [handlers] });
  onTestFinished(async () => void (await worker.kill()));
  return worker.waitFor("told");
}

const places = ["loop", "thread"];

test("in threads and processes the execution is the active span, and the parent of what is done there", async () => {
  const { sights, spans } = await runIn("./traced-handlers.ts");
  for (const place of places) {
    const sight = sights[place] as Sight;
    const processed = spans.find(({ name }) => name === `process ${place}`) as PlainSpan;
    expect(sight.active, place).toBe(processed.spanId);
    expect(sight.tenant, place).toBe("acme");
    const sent = spans.filter(({ name, traceId }) => name === "send children" && traceId === processed.traceId);
    expect(
      sent.map(({ parent }) => parent),
      place,
    ).toEqual([sight.own]);
    const ran = spans.find(({ name, parent }) => name === "process children" && parent === sent[0]?.spanId);
    expect(ran, place).toBeDefined();
  }
});

test("without an SDK there, what handlers enqueue still belongs to their execution", async () => {
  const { sights, spans } = await runIn("./isolated-handlers.ts");
  for (const place of places) {
    expect(sights[place], place).toEqual({});
    const processed = spans.find(({ name }) => name === `process ${place}`) as PlainSpan;
    const sent = spans.filter(({ name, traceId }) => name === "send children" && traceId === processed.traceId);
    expect(
      sent.map(({ parent }) => parent),
      place,
    ).toEqual([processed.spanId]);
  }
});
