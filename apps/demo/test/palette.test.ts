import { expect, test } from "vitest";
import { findPalette } from "../src/picture/palette.ts";

const noPause = async (): Promise<void> => undefined;

function pixels(
  ...parts: readonly (readonly [count: number, rgba: readonly [number, number, number, number]])[]
): Uint8Array {
  return Uint8Array.from(parts.flatMap(([count, rgba]) => Array.from({ length: count }, () => rgba).flat()));
}

test("each colour with its share, that of most pixels first", async () => {
  const flag = pixels([500, [255, 0, 0, 255]], [300, [255, 255, 255, 255]], [200, [0, 0, 128, 255]]);
  expect(await findPalette(flag, noPause)).toEqual([
    { colour: "#ff0000", share: 0.5 },
    { colour: "#ffffff", share: 0.3 },
    { colour: "#000080", share: 0.2 },
  ]);
});

test("at most six colours, whose shares make a whole", async () => {
  const rainbow = Uint8Array.from({ length: 4 * 4_096 }, (_, at) => (at % 4 === 3 ? 255 : (at * 2_654_435_761) >>> 24));
  const palette = await findPalette(rainbow, noPause);
  expect(palette).toHaveLength(6);
  expect(palette.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 2);
  expect(palette.map(({ share }) => share)).toEqual(palette.map(({ share }) => share).toSorted((a, b) => b - a));
});

test("transparent pixels are left out, and a picture of nothing else has no palette", async () => {
  const glass = pixels([900, [0, 255, 0, 0]], [100, [10, 20, 30, 255]]);
  expect(await findPalette(glass, noPause)).toEqual([{ colour: "#0a141e", share: 1 }]);
  expect(await findPalette(pixels([10, [1, 2, 3, 0]]), noPause)).toEqual([]);
});

test("the pauses tell how far it is", async () => {
  const parts: number[] = [];
  await findPalette(pixels([10, [1, 2, 3, 255]]), async (part) => void parts.push(part));
  expect(parts.length).toBeGreaterThanOrEqual(3);
  expect(parts).toEqual(parts.toSorted((a, b) => a - b));
  expect(parts.every((part) => part > 0 && part < 1)).toBe(true);
});
