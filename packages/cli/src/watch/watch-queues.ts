import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import type { Client } from "@taskferry/core";
import { cleanText } from "../output/clean-text.ts";
import { summarize } from "../output/describe-error.ts";
import { toJsonLine } from "../output/json.ts";
import type { Session } from "../session.ts";
import { formatFrame } from "./frame.ts";
import { canDraw, openScreen } from "./screen.ts";
import { readSnapshot, type Snapshot } from "./snapshot.ts";

export interface WatchFlags {
  /** Milliseconds between two looks. */
  readonly interval: number;
  readonly once?: boolean;
  readonly json?: boolean;
}

interface Show {
  snapshot(snapshot: Snapshot): void;
  /** A look that failed, where there was one before. */
  failure(text: string): void;
  close(): void;
}

/** Shows what goes on until `signal` aborts; once, where it is to be shown once or nobody sees it change. */
export async function watchQueues(
  client: Client<boolean>,
  { session, flags, signal }: { readonly session: Session; readonly flags: WatchFlags; readonly signal: AbortSignal },
): Promise<void> {
  const { stdout, env } = session.terminal;
  const isOnce = flags.once === true || (flags.json !== true && !canDraw(stdout, env));
  const first = await unlessAborted(readSnapshot(client), signal);
  if (first === undefined) return;
  const show = flags.json === true ? inLines(session) : isOnce ? plainly(session) : onScreen(session);
  try {
    show.snapshot(first);
    while (!isOnce && (await passes(flags.interval, signal))) {
      try {
        const next = await unlessAborted(readSnapshot(client), signal);
        if (next !== undefined) show.snapshot(next);
      } catch (error) {
        // A server that is away for a while is worth watching, too.
        show.failure(cleanText(summarize(error)));
      }
    }
  } finally {
    show.close();
  }
}

function inLines(session: Session): Show {
  return {
    snapshot: (snapshot) => session.print(toJsonLine(snapshot)),
    failure: (text) => session.note(text),
    close: () => undefined,
  };
}

function plainly(session: Session): Show {
  return {
    snapshot: (snapshot) => session.print(formatFrame(snapshot, session.paint)),
    failure: (text) => session.note(text),
    close: () => undefined,
  };
}

function onScreen(session: Session): Show {
  const screen = openScreen(session.terminal.stdout);
  let last = "";
  return {
    snapshot: (snapshot) => {
      last = session.redact(formatFrame(snapshot, session.paint));
      screen.draw(last);
    },
    failure: (text) => screen.draw(`${session.paint("red", session.redact(text))}\n\n${last}`),
    close: screen.close,
  };
}

/** Resolves to whether the time passed before `signal` aborted. */
async function passes(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  await wait(milliseconds, undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}

async function unlessAborted<T>(reading: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const done = new AbortController();
  const aborted = once(signal, "abort", { signal: done.signal }).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([reading, aborted]);
  } finally {
    done.abort();
  }
}
