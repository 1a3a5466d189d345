import { OptionError } from "@taskferry/core";

/** One of several files over which a suite is spread, so that they run at the same time. */
export interface SuitePart {
  /** From 1. */
  readonly number: number;
  readonly of: number;
}

interface HasRules<TRule> {
  readonly rules: readonly TRule[];
}

/** The topics with those rules that fall to a part: every so many-th. @throws OptionError `OPTION_INVALID` */
export function partOfRules<TRule, TTopic extends HasRules<TRule>>(
  topics: readonly (TTopic & HasRules<TRule>)[],
  { number, of }: SuitePart = { number: 1, of: 1 },
): readonly (TTopic & HasRules<TRule>)[] {
  if (!Number.isInteger(number) || !Number.isInteger(of) || number < 1 || number > of)
    throw new OptionError("OPTION_INVALID", `part: expected a number from 1 to ${of}, got ${number}.`);
  let position = 0;
  const isOurs = (): boolean => {
    position += 1;
    return position % of === number % of;
  };
  return topics.map((topic) => ({ ...topic, rules: topic.rules.filter(isOurs) }));
}
