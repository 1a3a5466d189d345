import { randomFrom } from "./random.ts";

/** What every scene is drawn with: its size and a source of numbers. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  /** A number between the two. */
  between(low: number, high: number): number;
}

/** Draws the inside of an SVG. */
export type Scene = (canvas: Canvas) => string;

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** @param seed - the same seed draws the same picture. */
export function drawScene(scene: Scene, { width, height }: Size, seed: number): Buffer {
  const random = randomFrom(seed);
  const inside = scene({ width, height, between: (low, high) => low + random() * (high - low) });
  return Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${inside}</svg>`);
}

/** A gradient from top to bottom, over everything. */
export function backdrop({ width, height }: Canvas, ...colours: readonly string[]): string {
  const stops = colours.map(
    (colour, index) => `<stop offset="${index / (colours.length - 1)}" stop-color="${colour}"/>`,
  );
  return `<defs><linearGradient id="backdrop" x2="0" y2="1">${stops.join("")}</linearGradient></defs><rect width="${width}" height="${height}" fill="url(#backdrop)"/>`;
}

export interface RidgeOptions {
  readonly colour: string;
  /** How far down it lies, and how much it rises and falls, as parts of the height. */
  readonly level: number;
  readonly swing: number;
  /** Hills from side to side. */
  readonly hills: number;
  /** 0: round as dunes; 1: jagged as rocks. */
  readonly roughness?: number;
}

/** A line of hills with everything under it filled. */
export function ridge(
  { width, height, between }: Canvas,
  { colour, level, swing, hills, roughness = 0 }: RidgeOptions,
): string {
  const steps = 160;
  const waves = Array.from({ length: 4 }, (_, index) => ({
    frequency: hills * (index + 1) * between(0.7, 1.3),
    phase: between(0, 2 * Math.PI),
    height: (swing * height) / (index + 1) ** 1.4,
  }));
  const points = Array.from({ length: steps + 1 }, (_, step) => {
    const along = step / steps;
    const smooth = waves.reduce(
      (sum, wave) => sum + wave.height * Math.sin(along * wave.frequency * Math.PI + wave.phase),
      0,
    );
    const jagged = roughness * swing * height * between(-0.35, 0.35);
    return `${(along * width).toFixed(1)},${(level * height + smooth + jagged).toFixed(1)}`;
  });
  return `<polygon fill="${colour}" points="0,${height} ${points.join(" ")} ${width},${height}"/>`;
}

export interface Disc {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

export function disc({ x, y, radius }: Disc, colour: string, opacity = 1): string {
  return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${radius.toFixed(1)}" fill="${colour}" fill-opacity="${opacity}"/>`;
}

/** The same drawing many times. */
export function scatter(count: number, draw: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => draw(index)).join("");
}
