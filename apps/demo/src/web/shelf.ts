import type { Archive } from "./archive.ts";
import { isEnded, type Picture, type PictureChange } from "./picture.ts";

export type ShelfEvent =
  | { readonly type: "picture"; readonly picture: Picture }
  | { readonly type: "removed"; readonly ids: readonly string[] };

/** The pictures that this web process knows, and what becomes of them. */
export interface Shelf {
  /** Oldest first. */
  list(): readonly Picture[];
  get(id: string): Picture | undefined;
  add(picture: Picture): Promise<void>;
  /** Changes a picture that has not ended; nothing happens to one that has, or that is gone. */
  change(id: string, change: PictureChange): Promise<void>;
  /** Removes whatever has ended. */
  clear(): Promise<void>;
  on(listener: (event: ShelfEvent) => void): () => void;
}

export async function createShelf(archive: Archive): Promise<Shelf> {
  const pictures = new Map<string, Picture>();
  for (const picture of await archive.load()) pictures.set(picture.id, picture);
  const listeners = new Set<(event: ShelfEvent) => void>();
  const tell = (event: ShelfEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const put = (picture: Picture): void => {
    pictures.set(picture.id, picture);
    tell({ type: "picture", picture });
  };

  return {
    list: () => [...pictures.values()],
    get: (id) => pictures.get(id),
    add: async (picture) => {
      await archive.save(picture);
      put(picture);
    },
    change: async (id, change) => {
      const before = pictures.get(id);
      if (before === undefined || isEnded(before)) return;
      const after = { ...before, ...change };
      // Before it is told: from then on it may be removed.
      if (isEnded(after)) await archive.save(after);
      put(after);
    },
    clear: async () => {
      const ids = [...pictures.values()].filter(isEnded).map(({ id }) => id);
      for (const id of ids) pictures.delete(id);
      tell({ type: "removed", ids });
      for (const id of ids) await archive.remove(id);
    },
    on: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
