import { describe, test } from "vitest";
import { partOfRules, type SuitePart } from "./part-of-rules.ts";
import { within } from "./patience.ts";

/** One sentence of a contract, and how to see whether it is kept. */
export interface Rule<TScene, TNeed extends string> {
  readonly name: string;
  /** What the rule cannot do without, besides what its topic needs. */
  readonly needs?: readonly TNeed[];
  readonly check: (scene: TScene) => Promise<void>;
}

/** The rules of one subject. The name of a test is `topic › rule`. */
export interface Topic<TScene, TNeed extends string> {
  readonly name: string;
  readonly needs?: readonly TNeed[];
  readonly rules: readonly Rule<TScene, TNeed>[];
}

/** Tests that an implementation does not run. The reason is shown in the name of each. */
export interface Skip {
  readonly reason: string;
  /** Names of tests, such as `"take › waits for a message"`. A name that is no test's fails the suite. */
  readonly tests: readonly string[];
}

/** Where one rule is played: made before, closed after. */
export interface Scene {
  close(): Promise<void>;
}

interface Rulebook<TScene extends Scene, TNeed extends string> {
  readonly title: string;
  readonly topics: readonly Topic<TScene, TNeed>[];
  /** Default: all. */
  readonly part?: SuitePart | undefined;
  readonly skip: readonly Skip[];
  /** Why a need is known to be out of reach before anything is started. */
  readonly cannot: Readonly<Partial<Record<string, string>>>;
  readonly timeout: number;
  readonly open: (needs: readonly TNeed[]) => Promise<TScene>;
  /** Why the scene does not offer a need; `undefined` when it does. Throws when it should and does not. */
  readonly lacks: (scene: TScene, need: TNeed) => string | undefined;
}

/** Milliseconds that closing a scene may take. */
const closeLimit = 30_000;

/** Makes a test of each rule. What is left out says why, in its name or as the note of its skip. */
export function registerRules<TScene extends Scene, TNeed extends string>(book: Rulebook<TScene, TNeed>): void {
  describe(book.title, () => {
    const names = new Set(book.topics.flatMap(({ name, rules }) => rules.map((rule) => `${name} › ${rule.name}`)));
    for (const topic of partOfRules(book.topics, book.part)) {
      for (const rule of topic.rules) registerRule(book, topic, rule);
    }
    for (const name of book.skip.flatMap((skip) => skip.tests).filter((skipped) => !names.has(skipped))) {
      test(`skip › ${name}`, () => {
        throw new Error(`Expected "skip" to name tests of this suite, got "${name}". Was the test renamed?`);
      });
    }
  });
}

function registerRule<TScene extends Scene, TNeed extends string>(
  book: Rulebook<TScene, TNeed>,
  topic: Topic<TScene, TNeed>,
  rule: Rule<TScene, TNeed>,
): void {
  const name = `${topic.name} › ${rule.name}`;
  const needs = [...(topic.needs ?? []), ...(rule.needs ?? [])];
  const skip = book.skip.find(({ tests }) => tests.includes(name));
  if (skip !== undefined) return test.skip(`${name} [skipped: ${skip.reason}]`);
  const missing = needs.find((need) => book.cannot[need] !== undefined);
  if (missing !== undefined) return test.skip(`${name} [cannot ${missing}: ${book.cannot[missing]}]`);

  test(name, { timeout: book.timeout }, async (context) => {
    const scene = await book.open(needs);
    await closingAfter(scene, async () => {
      for (const need of needs) {
        const lack = book.lacks(scene, need);
        if (lack !== undefined) context.skip(lack);
      }
      await rule.check(scene);
    });
  });
}

/** Closes the scene whatever happens, and reports the rule's own failure before that of closing. */
async function closingAfter(scene: Scene, play: () => Promise<void>): Promise<void> {
  const [played] = await Promise.allSettled([play()]);
  const [closed] = await Promise.allSettled([within(scene.close(), closeLimit, "closing what the test had opened")]);
  if (played.status === "rejected") throw played.reason;
  if (closed.status === "rejected") throw closed.reason;
}
