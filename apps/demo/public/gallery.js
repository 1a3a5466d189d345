import { duration, plural } from "./format.js";
import { createCard } from "./picture-card.js";

const ended = ({ status }) => status === "succeeded" || status === "failed";

/** All pictures on the page: those that this page is uploading, and those that the server tells of. */
export function createGallery() {
  const root = document.querySelector("#gallery");
  const list = root.querySelector("#cards");
  const summary = root.querySelector("#summary");
  const announcements = document.querySelector("#announcements");
  /** By the name that this page gave an upload, or else by the server's id. */
  const entries = new Map();
  /** The answer to an upload may come after the news that its picture was removed. */
  const removed = new Set();
  let batch = { begun: 0, isRunning: false };

  const keyOf = ({ ref, id }) => (ref !== undefined && entries.has(ref) ? ref : id);
  const put = (picture, before) => {
    const key = keyOf(picture);
    const entry = entries.get(key);
    if (entry === undefined) {
      const card = createCard(picture);
      entries.set(key, { picture, card });
      list.insertBefore(card.element, before);
    } else if (!ended(entry.picture) || ended(picture)) {
      entry.picture = picture;
      entry.card.show(picture);
    }
  };
  const remove = (key) => {
    entries.get(key)?.card.element.remove();
    entries.delete(key);
  };
  const refresh = () => {
    const pictures = [...entries.values()].map(({ picture }) => picture);
    root.hidden = pictures.length === 0;
    batch = nextBatch(batch, pictures);
    const text = summaryOf(pictures, batch);
    if (summary.textContent !== text) summary.textContent = text;
    if (batch.said) announcements.textContent = batch.said;
  };

  return {
    /** Pictures on their way: the first of them goes to the top. */
    begin(pictures) {
      const top = list.firstElementChild;
      for (const picture of pictures) {
        const card = createCard(picture);
        entries.set(picture.ref, { picture, card });
        list.insertBefore(card.element, top);
      }
      refresh();
    },
    /** What the server says of one picture. */
    update(picture) {
      if (removed.has(picture.id)) return;
      put(picture, list.firstElementChild);
      refresh();
    },
    /** What the server knows at the beginning of a stream: anything else that it once told of is gone. */
    replace(pictures) {
      const known = new Set(pictures.map(keyOf));
      for (const [key, { picture }] of entries) if (picture.id && !known.has(key)) remove(key);
      for (const picture of pictures) put(picture, list.firstElementChild);
      refresh();
    },
    remove(ids) {
      for (const id of ids) removed.add(id);
      for (const [key, { picture }] of entries) if (ids.includes(picture.id)) remove(key);
      refresh();
    },
    /** Uploads that failed before the server knew of them. */
    removeUnsent() {
      for (const [key, { picture }] of entries) if (!picture.id && ended(picture)) remove(key);
      refresh();
    },
    /** In which mode pictures are worked on now: "queue", "inline" or undefined. */
    busyWith() {
      const modes = new Set(
        [...entries.values()].filter(({ picture }) => !ended(picture)).map(({ picture }) => picture.mode),
      );
      return modes.has("inline") ? "inline" : modes.has("queue") ? "queue" : undefined;
    },
  };
}

/** A batch lasts from the first picture on its way until none is. */
function nextBatch(batch, pictures) {
  const isRunning = pictures.some((picture) => !ended(picture));
  const now = performance.now();
  if (isRunning && !batch.isRunning) return { begun: now, isRunning, said: "Working on pictures." };
  if (!isRunning && batch.isRunning) {
    const failed = pictures.filter(({ status }) => status === "failed").length;
    const said = `Finished. ${plural(pictures.length - failed, "picture is", "pictures are")} done, ${failed} failed.`;
    return { isRunning, took: now - batch.begun, said };
  }
  return { ...batch, isRunning, said: undefined };
}

function summaryOf(pictures, batch) {
  const done = pictures.filter(({ status }) => status === "succeeded").length;
  const failed = pictures.filter(({ status }) => status === "failed").length;
  const parts = [`${done} of ${pictures.length} done`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (!batch.isRunning && batch.took !== undefined) parts.push(`the last batch took ${duration(batch.took)}`);
  return parts.join(" · ");
}
