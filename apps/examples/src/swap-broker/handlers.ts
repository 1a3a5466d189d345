import { remind, wordCount } from "./tasks.ts";

export const onWordCount = wordCount.handler(async ({ text }) => {
  const words = text.split(/\s+/);
  return {
    words: words.length,
    longest: words.reduce((longest, word) => (word.length > longest.length ? word : longest), ""),
  };
});

export const onRemind = remind.handler(async ({ what }, { enqueuedAt }) => {
  const waited = Date.now() - enqueuedAt;
  return `${what} (${waited >= 200 ? "not before 200 ms had passed" : `too early, after ${waited} ms`})`;
});
