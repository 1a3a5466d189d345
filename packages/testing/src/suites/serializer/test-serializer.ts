import type { Serializer } from "@taskferry/core";
import { expect } from "vitest";
import { registerRules, type Skip } from "../rulebook.ts";
import { hostileTopic, refusalTopic } from "./hostile.ts";
import { roundTripTopic } from "./round-trip.ts";
import { type RichKind, SerializerScene, type SerializerTopic } from "./serializer-scene.ts";

export interface SerializerSuiteOptions {
  /** Names the implementation in the report. */
  readonly name: string;
  readonly create: () => Serializer;
  /** What it carries beyond plain JSON: each arrives as what it was. What is not listed must be carried or refused. */
  readonly kinds?: readonly RichKind[];
  /** Tests not to run, with the reason. */
  readonly skip?: readonly Skip[];
  /** Milliseconds for one test. Default 60,000. */
  readonly timeout?: number;
}

const contentTypeTopic: SerializerTopic = {
  name: "content type",
  rules: [{ name: "is a media type without parameters", check: isMediaType }],
};

/** Holds a serializer to the contract of `Serializer`: one vitest test for each rule. */
export function testSerializer(options: SerializerSuiteOptions): void {
  const kinds = options.kinds ?? [];
  registerRules({
    title: `serializer ${options.name}`,
    topics: [contentTypeTopic, roundTripTopic, refusalTopic, hostileTopic],
    skip: options.skip ?? [],
    cannot: {},
    timeout: options.timeout ?? 60_000,
    open: async () => new SerializerScene(options.create(), kinds),
    lacks: (_, need) => (kinds.includes(need) ? undefined : `the serializer does not declare ${need}`),
  });
}

async function isMediaType({ serializer }: SerializerScene): Promise<void> {
  expect(serializer.contentType).toMatch(/^[a-z0-9][a-z0-9!#$&^_.+-]{0,62}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}$/);
}
