import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { processUpload } from "../src/picture/process-upload.ts";
import { draw, folderOf } from "./pictures.ts";

async function work(upload: Buffer | string, signal = new AbortController().signal) {
  await using folder = await folderOf({ upload });
  const steps: { value: number; note: string }[] = [];
  const result = await processUpload(
    { source: join(folder.path, "upload"), folder: folder.path },
    { signal, progress: (value, note) => void steps.push({ value, note }) },
  );
  const files = await readdir(folder.path);
  const made = await Promise.all(
    result.thumbnails.map(({ size }) => sharp(join(folder.path, `thumbnail-${size}.webp`)).metadata()),
  );
  return { result, steps, files, made };
}

describe("a picture", () => {
  test("becomes three thumbnails, a palette and a checksum", async () => {
    const upload = await draw(1600, 1000).jpeg().toBuffer();
    const { result, files, made } = await work(upload);
    expect(result).toMatchObject({ width: 1600, height: 1000, bytes: upload.length, format: "jpeg" });
    expect(result.checksum).toBe(createHash("sha256").update(upload).digest("hex"));
    expect(result.thumbnails.map(({ size, width, height }) => [size, width, height])).toEqual([
      [160, 160, 100],
      [480, 480, 300],
      [1200, 1200, 750],
    ]);
    expect(made.map(({ format, width, height }) => [format, width, height])).toEqual([
      ["webp", 160, 100],
      ["webp", 480, 300],
      ["webp", 1200, 750],
    ]);
    expect(files.toSorted()).toEqual(["thumbnail-1200.webp", "thumbnail-160.webp", "thumbnail-480.webp", "upload"]);
    expect(result.palette.length).toBeGreaterThan(1);
  });

  test("tells its progress in rising steps, up to 1", async () => {
    const { steps } = await work(await draw(300, 200).png().toBuffer());
    const values = steps.map(({ value }) => value);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(values.at(-1)).toBe(1);
    expect(steps.map(({ note }) => note)).toEqual(
      expect.arrayContaining(["checksum", "decoding", "thumbnail 160", "thumbnail 480", "thumbnail 1200", "palette"]),
    );
  });

  test("that was taken on its side is put upright", async () => {
    const { result } = await work(await draw(400, 200).jpeg().withMetadata({ orientation: 6 }).toBuffer());
    expect(result).toMatchObject({ width: 200, height: 400 });
    expect(result.thumbnails[1]).toMatchObject({ width: 200, height: 400 });
  });

  test("that is small is not enlarged", async () => {
    const { result } = await work(await draw(64, 32).png().toBuffer());
    expect(result.thumbnails.map(({ width, height }) => [width, height])).toEqual([
      [64, 32],
      [64, 32],
      [64, 32],
    ]);
  });

  test("in grey, and one with four inks, come out as well", async () => {
    expect((await work(await draw(200, 100).greyscale().png().toBuffer())).result.palette.length).toBeGreaterThan(0);
    expect((await work(await draw(200, 100).toColourspace("cmyk").jpeg().toBuffer())).result.format).toBe("jpeg");
  });
});

describe("what is no picture is explained", () => {
  test.each([
    ["text", "no picture at all", /is no picture that can be read. Expected JPEG, PNG/],
    ["nothing", "", /is empty/],
  ])("%s", async (_, upload, reason) => {
    await expect(work(upload)).rejects.toMatchObject({
      name: "UnreadablePicture",
      message: expect.stringMatching(reason),
    });
  });

  test("a picture that was cut off", async () => {
    const whole = await draw(800, 600).jpeg().toBuffer();
    await expect(work(whole.subarray(0, whole.length / 2))).rejects.toMatchObject({
      name: "UnreadablePicture",
      message: expect.stringMatching(/is damaged: .*premature end/),
    });
  });

  test("a picture of too many pixels", async () => {
    const bomb = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="20000" height="20000"/>');
    await expect(work(bomb)).rejects.toMatchObject({ message: expect.stringMatching(/more than 100 million pixels/) });
  });

  test("an upload that is gone", async () => {
    const gone = { source: "/nowhere/upload", folder: "/nowhere" };
    const watch = { signal: new AbortController().signal, progress: () => undefined };
    await expect(processUpload(gone, watch)).rejects.toMatchObject({ name: "UnreadablePicture" });
  });
});

test("work that is wanted no longer ends at its next step", async () => {
  const upload = await draw(64, 64).png().toBuffer();
  const reason = new Error("no longer wanted");
  await expect(work(upload, AbortSignal.abort(reason))).rejects.toBe(reason);
});
