import type { ServerResponse } from "node:http";

/** Server-sent events to every page that is open. */
export interface EventStream {
  /** Makes a page's answer a stream, which begins with `first`. */
  join(response: ServerResponse, first: { readonly event: string; readonly data: unknown }): void;
  send(event: string, data: unknown): void;
  close(): void;
}

const heartbeat = 15_000;
/** Bytes that a page may be behind. One that reads no more is cut off: it comes back and gets the whole state. */
const maxBehind = 4 * 1024 * 1024;

export function createEventStream(): EventStream {
  const pages = new Set<ServerResponse>();
  const write = (text: string): void => {
    for (const page of pages) {
      if (page.writableLength > maxBehind) page.destroy();
      else page.write(text);
    }
  };
  const timer = setInterval(() => write(": still here\n\n"), heartbeat);
  timer.unref();
  return {
    join: (response, first) => {
      response.writeHead(200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      });
      response.write(`retry: 1000\n\n${format(first.event, first.data)}`);
      pages.add(response);
      response.once("close", () => pages.delete(response));
    },
    send: (event, data) => write(format(event, data)),
    close: () => {
      clearInterval(timer);
      for (const page of pages) page.end();
    },
  };
}

function format(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
