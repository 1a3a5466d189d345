import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Picture } from "./picture.ts";

/** Outcomes are kept for a day: an upload older than that has nothing left to show. */
const keptMilliseconds = 86_400_000;

/** The folder on disk that outlives the web process: one folder for each picture. */
export interface Archive {
  /** Makes the folder of a new picture and answers its path. */
  open(id: string): Promise<string>;
  folder(id: string): string;
  /** Where the upload itself lies. */
  upload(id: string): string;
  save(picture: Picture): Promise<void>;
  remove(id: string): Promise<void>;
  /** Every picture that was saved, oldest first; those that are too old are removed. */
  load(): Promise<readonly Picture[]>;
}

export function createArchive(root: string): Archive {
  const folder = (id: string): string => join(root, id);
  const remove = (id: string): Promise<void> => rm(folder(id), { recursive: true, force: true });
  return {
    folder,
    remove,
    upload: (id) => join(folder(id), "upload"),
    open: async (id) => {
      await mkdir(folder(id), { recursive: true });
      return folder(id);
    },
    save: async (picture) => {
      const path = join(folder(picture.id), "picture.json");
      await writeFile(`${path}.unfinished`, JSON.stringify(picture));
      await rename(`${path}.unfinished`, path);
    },
    load: async () => {
      await mkdir(root, { recursive: true });
      const pictures: Picture[] = [];
      for (const id of await readdir(root)) {
        const picture = await readPicture(join(folder(id), "picture.json"));
        if (picture !== undefined && Date.now() - picture.uploadedAt < keptMilliseconds) pictures.push(picture);
        else await remove(id);
      }
      return pictures.toSorted((a, b) => a.uploadedAt - b.uploadedAt);
    },
  };
}

async function readPicture(path: string): Promise<Picture | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Picture;
  } catch (error) {
    // An upload that the process did not live to finish has no record.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
