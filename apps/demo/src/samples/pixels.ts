import type { Size } from "./svg.ts";

/** Three bytes a pixel, each made from its place. */
function paint({ width, height }: Size, colourAt: (x: number, y: number) => readonly [number, number, number]): Buffer {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) pixels.set(colourAt(x, y), (y * width + x) * 3);
  }
  return pixels;
}

/** A colour wheel that comes round again at 1. */
function wheel(turn: number): readonly [number, number, number] {
  const channel = (shift: number): number => Math.round(127.5 + 127.5 * Math.cos(2 * Math.PI * (turn + shift)));
  return [channel(0.6), channel(0.48), channel(0.3)];
}

const deepest = 160;

/** A corner of the Mandelbrot set. */
export function mandelbrot(size: Size): Buffer {
  const { width, height } = size;
  return paint(size, (column, line) => {
    const [startX, startY] = [
      -0.745 + ((column - width / 2) / width) * 0.022,
      0.113 + ((line - height / 2) / width) * 0.022,
    ];
    let [x, y, depth] = [0, 0, 0];
    while (x * x + y * y < 16 && depth < deepest) {
      [x, y] = [x * x - y * y + startX, 2 * x * y + startY];
      depth += 1;
    }
    if (depth === deepest) return [12, 14, 30];
    const smooth = depth + 1 - Math.log2(Math.log2(x * x + y * y) / 2);
    return wheel(Math.sqrt(smooth / deepest) * 2.2);
  });
}

/** Veins of marble: waves that bend each other. */
export function marble(size: Size): Buffer {
  const scale = 9 / size.width;
  return paint(size, (column, line) => {
    const [x, y] = [column * scale, line * scale];
    const bend = Math.sin(x * 1.7 + Math.sin(y * 2.3)) + Math.sin(y * 1.9 + Math.cos(x * 1.3 + y * 0.6));
    const vein = Math.abs(Math.sin(x * 0.9 + y * 1.4 + bend * 1.6)) ** 0.6;
    return [Math.round(38 + 200 * vein), Math.round(62 + 170 * vein), Math.round(84 + 140 * vein)];
  });
}
