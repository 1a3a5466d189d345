import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { drawnSamples } from "../settings.ts";
import { mandelbrot, marble } from "./pixels.ts";
import { aurora, city, dunes, harbour, lily, meadow, mountains, paper, waves } from "./scenes.ts";
import { drawScene, type Scene, type Size } from "./svg.ts";

interface Sample {
  readonly name: string;
  readonly draw: (grain: Buffer) => Promise<Sharp>;
}

const samples: readonly Sample[] = [
  scene("aurora.webp", aurora, { width: 3000, height: 2000 }),
  scene("city.jpg", city, { width: 2400, height: 3600 }),
  scene("dunes.jpg", dunes, { width: 4000, height: 3000 }),
  scene("harbour.jpg", harbour, { width: 4000, height: 3000 }),
  { name: "lily.png", draw: async () => sharp(drawScene(lily, { width: 1200, height: 1200 }, 9)) },
  pixels("mandelbrot.png", mandelbrot, { width: 1600, height: 1200 }),
  pixels("marble.webp", marble, { width: 1920, height: 1080 }),
  scene("meadow.jpg", meadow, { width: 2400, height: 2400 }),
  scene("mountains.jpg", mountains, { width: 3600, height: 2400 }),
  scene("paper.png", paper, { width: 1080, height: 1920 }),
  scene("stamp.gif", harbour, { width: 320, height: 240 }),
  scene("waves.jpg", waves, { width: 3840, height: 1600 }),
];

/** Draws the sample pictures, unless an earlier start has. They appear all at once, so that none is ever half there. */
export async function drawSamples(folder = drawnSamples): Promise<void> {
  if (await isComplete(folder)) return;
  console.log(`Drawing ${samples.length} sample pictures, this once.`);
  const unfinished = `${folder}.${process.pid}`;
  await mkdir(unfinished, { recursive: true });
  const grain = await drawGrain();
  for (const { name, draw } of samples) await (await draw(grain)).toFile(join(unfinished, name));
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
}

async function isComplete(folder: string): Promise<boolean> {
  const names: readonly string[] = await readdir(folder).catch(() => []);
  return samples.every(({ name }) => names.includes(name));
}

function scene(name: string, drawing: Scene, size: Size): Sample {
  return {
    name,
    draw: async (grain) =>
      sharp(drawScene(drawing, size, name.length))
        .removeAlpha()
        .composite([{ input: grain, tile: true, blend: "soft-light" }]),
  };
}

/** No photograph is as smooth as a drawing, and none compresses as well: this goes over all of it. */
function drawGrain(): Promise<Buffer> {
  const noise = { type: "gaussian", mean: 128, sigma: 18 } as const;
  const tile = { width: 240, height: 240, channels: 3, background: "#808080", noise } as const;
  return sharp({ create: tile }).png().toBuffer();
}

function pixels(name: string, drawing: (size: Size) => Buffer, size: Size): Sample {
  return { name, draw: async () => sharp(drawing(size), { raw: { ...size, channels: 3 } }) };
}
