import { openAsBlob } from "node:fs";
import { basename } from "node:path";
import { isEnded, type Mode, type Picture } from "../web/picture.ts";
import { readEvents } from "./event-source.ts";

/** Requests at once: what a browser would have in flight. */
const uploadsAtOnce = 3;
/** Milliseconds without any news after which the check gives up. */
const patience = 120_000;

/** What became of one file. */
export interface Sent {
  readonly path: string;
  readonly picture: Picture;
  /** Milliseconds from the start of the upload until its end was known here. */
  readonly total: number;
}

/** Uploads each file over HTTP, as the page does, and waits for every end. Answers in the order of `paths`. */
export async function sendPictures(url: string, paths: readonly string[], mode: Mode): Promise<readonly Sent[]> {
  const closing = new AbortController();
  const watch = watchPictures(`${url}/api/events`, closing);
  try {
    const waiting = [...paths.entries()];
    const sent: Promise<Sent>[] = [];
    const sendNext = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [index, path] = next;
        const begun = performance.now();
        const { id } = await upload(`${url}/api/pictures?mode=${mode}`, path);
        sent[index] = watch.ended(id).then((picture) => ({ path, picture, total: performance.now() - begun }));
      }
    };
    await Promise.race([watch.broken, Promise.all(Array.from({ length: uploadsAtOnce }, sendNext))]);
    return await Promise.race([watch.broken, Promise.all(sent)]);
  } finally {
    closing.abort();
  }
}

async function upload(url: string, path: string): Promise<Picture> {
  const form = new FormData();
  form.append("picture", await openAsBlob(path), basename(path));
  const response = await fetch(url, { method: "POST", body: form });
  const answer = (await response.json()) as { readonly pictures?: readonly Picture[]; readonly message?: string };
  const [picture] = answer.pictures ?? [];
  if (picture === undefined)
    throw new Error(`Upload of ${basename(path)}: the server answered ${response.status}: ${answer.message}`);
  return picture;
}

interface PictureWatch {
  /** Resolves with the picture once it has ended. */
  ended(id: string): Promise<Picture>;
  /** Rejects when the stream breaks off, or nothing has been heard for too long. */
  readonly broken: Promise<never>;
}

function watchPictures(url: string, closing: AbortController): PictureWatch {
  const known = new Map<string, Picture>();
  const waiting = new Map<string, (picture: Picture) => void>();
  const hear = (picture: Picture): void => {
    if (!isEnded(picture)) return;
    known.set(picture.id, picture);
    waiting.get(picture.id)?.(picture);
  };
  const read = async (): Promise<never> => {
    const silence = setTimeout(
      () => closing.abort(new Error(`No news of any picture for ${patience / 1000} seconds.`)),
      patience,
    );
    try {
      for await (const { event, data } of readEvents(url, closing.signal)) {
        silence.refresh();
        if (event === "state") for (const picture of (data as { pictures: Picture[] }).pictures) hear(picture);
        if (event === "picture") hear(data as Picture);
      }
    } finally {
      clearTimeout(silence);
    }
    throw new Error("The server ended its stream of events.");
  };
  const broken = read();
  broken.catch(() => undefined);
  return {
    broken,
    ended: (id) => {
      const picture = known.get(id);
      return picture === undefined ? new Promise((resolve) => waiting.set(id, resolve)) : Promise.resolve(picture);
    },
  };
}
