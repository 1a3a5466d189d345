import type { Script } from "../script.ts";

/** A script of a queue, and the names of the keys that it gets, in their order. */
export interface QueueScript extends Script {
  readonly keyNames: readonly string[];
}

export interface ScriptParts {
  readonly name: string;
  /** The names of all keys that there are. */
  readonly keyNames: readonly string[];
  /** Functions and values: `local` statements that begin in the first column, while nothing else does but their ends. */
  readonly shared: string;
  readonly body: string;
}

/** Joins the body with what it needs of the shared part, and of the keys: whatever else a script had, each call would pay for. */
export function composeScript({ name, keyNames, shared, body }: ScriptParts): QueueScript {
  const needed = neededBy(body, statementsOf(shared));
  const code = [...needed, body].join("\n");
  const words = wordsOf(code);
  const used = keyNames.filter((key) => words.has(key));
  const keys = used.map((key, index) => `local ${key} = KEYS[${index + 1}]`);
  return { name, keyNames: used, lua: [...keys, code].join("\n") };
}

/** Those that the body needs, and those that these need. A statement knows only what comes before it. */
function neededBy(body: string, statements: readonly string[]): readonly string[] {
  const words = wordsOf(body);
  const needed: string[] = [];
  for (const statement of statements.toReversed()) {
    if (!namesOf(statement).some((name) => words.has(name))) continue;
    needed.unshift(statement);
    for (const word of wordsOf(statement)) words.add(word);
  }
  return needed;
}

function statementsOf(lua: string): readonly string[] {
  const parts = lua.split(/^(?=local )/m).filter((part) => part.startsWith("local "));
  return parts.map((part) => part.trimEnd());
}

/** `local function one`, or `local one, another`. */
function namesOf(statement: string): readonly string[] {
  const [, names = ""] = /^local (?:function )?(\w+(?:, \w+)*)/.exec(statement) ?? [];
  return names.split(", ");
}

function wordsOf(lua: string): Set<string> {
  const code = lua.replaceAll(/--.*/g, "").replaceAll(/'[^'\n]*'/g, "");
  return new Set(code.match(/[a-z_]\w*/gi));
}
