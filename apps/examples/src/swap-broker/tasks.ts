import { defineTask } from "@taskferry/core";
import { z } from "zod";

export const wordCount = defineTask("text.count", {
  input: z.object({ text: z.string().min(1) }),
  output: z.object({ words: z.number(), longest: z.string() }),
});

export const remind = defineTask<{ what: string }, string>("remind");
