import type { PictureResult } from "../tasks.ts";
import { fromRgb, type Oklab, toHex } from "./oklab.ts";

type Palette = PictureResult["palette"];

const colours = 6;
const rounds = 12;
const roundsInOneGo = 4;
/** Two colours nearer than this look the same: half of what most eyes can tell apart. */
const sameColour = 0.01;
const opaque = 128;
/** Starting colours are sought among this many pixels. */
const candidates = 2_000;

/**
 * The colours of a picture: k-means over every single pixel, in a colour space made for the eye. Plain loops, as
 * application code often has them: while one runs, its process does nothing else.
 *
 * @param rgba - four bytes a pixel; transparent pixels are left out.
 * @param pause - awaited between the long loops, with the part that is done, 0 to 1.
 */
export async function findPalette(rgba: Uint8Array, pause: (part: number) => Promise<void>): Promise<Palette> {
  const points = toPoints(rgba);
  if (points.length === 0) return [];
  let clusters = startingColours(points).map((centre) => ({ centre, share: 0 }));
  for (let round = 0; round < rounds; round += 1) {
    if (round % roundsInOneGo === 0) await pause((round + 1) / (rounds + 1));
    clusters = regroup(points, clusters);
  }
  return withoutTwins(clusters)
    .toSorted((a, b) => b.share - a.share)
    .map(({ centre, share }) => ({ colour: toHex(centre), share: Math.round(share * 1_000) / 1_000 }));
}

/** Three numbers a pixel, in one array: objects would take twenty times the room. */
function toPoints(rgba: Uint8Array): Float32Array {
  const points = new Float32Array((rgba.length / 4) * 3);
  let end = 0;
  for (let at = 0; at < rgba.length; at += 4) {
    if ((rgba[at + 3] as number) < opaque) continue;
    const { lightness, greenRed, blueYellow } = fromRgb(
      rgba[at] as number,
      rgba[at + 1] as number,
      rgba[at + 2] as number,
    );
    points[end] = lightness;
    points[end + 1] = greenRed;
    points[end + 2] = blueYellow;
    end += 3;
  }
  return points.subarray(0, end);
}

/** Colours far from each other: each is the one farthest from those before it. The same picture gives the same ones. */
function startingColours(points: Float32Array): Oklab[] {
  const step = Math.max(1, Math.floor(points.length / 3 / candidates)) * 3;
  const sample: Oklab[] = [];
  for (let at = 0; at < points.length; at += step) sample.push(pointAt(points, at));
  const chosen = [sample[Math.floor(sample.length / 2)] as Oklab];
  while (chosen.length < colours) {
    const distances = sample.map((point) => Math.min(...chosen.map((other) => distance(point, other))));
    chosen.push(sample[distances.indexOf(Math.max(...distances))] as Oklab);
  }
  return chosen;
}

interface Cluster {
  readonly centre: Oklab;
  readonly share: number;
}

/** One round: every pixel goes to the nearest centre, then every centre moves into the middle of its pixels. */
function regroup(points: Float32Array, clusters: readonly Cluster[]): Cluster[] {
  const centres = Float64Array.from(
    clusters.flatMap(({ centre }) => [centre.lightness, centre.greenRed, centre.blueYellow]),
  );
  const sums = new Float64Array(centres.length);
  const counts = new Float64Array(clusters.length);
  for (let at = 0; at < points.length; at += 3) {
    const nearest = nearestOf(centres, points, at);
    counts[nearest] = (counts[nearest] as number) + 1;
    for (let axis = 0; axis < 3; axis += 1) {
      sums[nearest * 3 + axis] = (sums[nearest * 3 + axis] as number) + (points[at + axis] as number);
    }
  }
  const total = points.length / 3;
  return clusters.flatMap((_, index) => {
    const count = counts[index] as number;
    if (count === 0) return [];
    const middle = sums.subarray(index * 3, index * 3 + 3).map((sum) => sum / count);
    return [{ centre: pointAt(middle, 0), share: count / total }];
  });
}

function nearestOf(centres: Float64Array, points: Float32Array, at: number): number {
  let nearest = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let start = 0; start < centres.length; start += 3) {
    const lightness = (centres[start] as number) - (points[at] as number);
    const greenRed = (centres[start + 1] as number) - (points[at + 1] as number);
    const blueYellow = (centres[start + 2] as number) - (points[at + 2] as number);
    const apart = lightness * lightness + greenRed * greenRed + blueYellow * blueYellow;
    if (apart >= least) continue;
    least = apart;
    nearest = start / 3;
  }
  return nearest;
}

/** A plain picture has fewer colours than were looked for: those that look the same are counted together. */
function withoutTwins(clusters: readonly Cluster[]): Cluster[] {
  const kept: Cluster[] = [];
  for (const cluster of clusters) {
    const twin = kept.findIndex(({ centre }) => distance(centre, cluster.centre) < sameColour ** 2);
    if (twin === -1) kept.push(cluster);
    else kept[twin] = { centre: (kept[twin] as Cluster).centre, share: (kept[twin] as Cluster).share + cluster.share };
  }
  return kept;
}

function pointAt(points: Float32Array | Float64Array, at: number): Oklab {
  return {
    lightness: points[at] as number,
    greenRed: points[at + 1] as number,
    blueYellow: points[at + 2] as number,
  };
}

function distance(a: Oklab, b: Oklab): number {
  return (a.lightness - b.lightness) ** 2 + (a.greenRed - b.greenRed) ** 2 + (a.blueYellow - b.blueYellow) ** 2;
}
