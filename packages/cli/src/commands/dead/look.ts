import { OptionError, type QueueEntry } from "@taskferry/core";
import { textOf } from "../../output/bytes.ts";
import { cleanText } from "../../output/clean-text.ts";
import { formatFields, formatTable } from "../../output/table.ts";
import { formatTime } from "../../output/time.ts";
import { type Session, withBroker } from "../../session.ts";
import { type Letter, locate, queuesToSearch } from "./locate.ts";

interface ListFlags {
  readonly queue?: string;
  readonly limit: number;
  readonly cursor?: string;
  readonly json?: boolean;
}

interface ListedQueue {
  readonly queue: string;
  readonly entries: readonly QueueEntry[];
  readonly cursor?: string;
}

export async function listLetters(session: Session, { queue, limit, cursor, json }: ListFlags): Promise<void> {
  const pages = await withBroker(session, async (client): Promise<readonly ListedQueue[]> => {
    const read = async (name: string): Promise<ListedQueue> => ({
      queue: name,
      ...(await client.deadLetters.list(name, { limit, ...(cursor !== undefined && { cursor }) })),
    });
    const queues = await queuesToSearch(client, queue);
    return (await Promise.all(queues.map(read))).filter(({ entries }) => entries.length > 0);
  });
  if (json) session.printJson(pages.map((page) => ({ ...page, entries: page.entries.map(toPlain) })));
  else session.print(pages.length === 0 ? "No dead letters." : formatPages(pages, session));
}

interface ShowFlags {
  readonly queue?: string;
  readonly raw?: boolean;
  readonly json?: boolean;
}

export async function showLetter(session: Session, key: string, { queue, raw, json }: ShowFlags): Promise<void> {
  const letter = await withBroker(session, async (client) => locate(client, await queuesToSearch(client, queue), key));
  if (letter === undefined) throw notFound(key, queue);
  if (raw) session.terminal.stdout.write(letter.entry.bytes);
  else if (json) session.printJson({ queue: letter.queue, ...toPlain(letter.entry), ...contents(letter.entry) });
  else session.print(formatLetter(letter, session));
}

function notFound(key: string, queue: string | undefined): OptionError {
  const place = queue === undefined ? "in any queue" : `in the queue ${queue}`;
  return new OptionError(
    "OPTION_INVALID",
    `Expected the key of a dead letter or its task's id, got ${JSON.stringify(key)}, which is not there ${place}.`,
  );
}

function formatPages(pages: readonly ListedQueue[], { paint }: Session): string {
  const letters: Letter[] = pages.flatMap(({ queue, entries }) => entries.map((entry) => ({ queue, entry })));
  const table = formatTable(
    letters,
    [
      { heading: "queue", cell: ({ queue }) => queue },
      // Bytes that are no message have no id: their key finds them.
      { heading: "id", cell: ({ entry }) => entry.message?.id ?? entry.key },
      { heading: "task", cell: ({ entry }) => entry.message?.task ?? "(no message)" },
      { heading: "code", cell: ({ entry }) => entry.reason?.code ?? "" },
      { heading: "when", cell: ({ entry }) => (entry.reason === undefined ? "" : formatTime(entry.reason.at)) },
      { heading: "reason", cell: ({ entry }) => entry.reason?.message ?? "", width: 80 },
    ],
    paint,
  );
  const more = pages.flatMap(({ queue, cursor }) =>
    cursor === undefined ? [] : [`More in ${queue}: --queue ${queue} --cursor ${cursor}`],
  );
  return [table, ...more].join("\n");
}

function formatLetter({ queue, entry }: Letter, { paint }: Session): string {
  const { key, message, reason } = entry;
  const fields = formatFields(
    {
      key,
      queue,
      id: message?.id,
      task: message?.task,
      attempt: message?.attempt,
      run: message?.run,
      enqueued: message && formatTime(message.enqueuedAt),
      "given up": reason && formatTime(reason.at),
      code: reason?.code,
      reason: reason && cleanText(reason.message),
      headers: message?.headers && cleanText(JSON.stringify(message.headers)),
      "content type": message && cleanText(message.contentType),
      size: `${entry.bytes.length} bytes`,
    },
    paint,
  );
  const content = textOf(message?.body ?? entry.bytes);
  const name = message === undefined ? "bytes, which are no message" : "input as it travelled";
  return `${fields}\n${paint("dim", name)}\n  ${cleanText("text" in content ? content.text : `base64: ${content.base64}`)}`;
}

function toPlain({ key, message, reason, bytes }: QueueEntry): object {
  const { body: _, ...headers } = message ?? { body: undefined };
  return {
    key,
    ...(message === undefined ? { message: null } : { message: headers }),
    reason: reason ?? null,
    size: bytes.length,
  };
}

/** The input as text where it is text; the very bytes always. */
function contents({ message, bytes }: QueueEntry): object {
  const body = message === undefined ? {} : { body: textOf(message.body) };
  return { ...body, bytes: Buffer.from(bytes).toString("base64") };
}
