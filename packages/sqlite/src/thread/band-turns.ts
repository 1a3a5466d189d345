/** Of how many takes at least one goes to a lower band, while one waits there. */
const turn = 8;

/** Shares takes out among the bands: a higher one first, and none starves. */
export interface BandTurns {
  /** The bands to take from, in order, `max` of them at most. `waiting`: how many wait in each, counted up to `max`. */
  share(queue: string, waiting: readonly number[], max: number): readonly number[];
}

interface Turns {
  /** Takes in a row that passed over a lower band. */
  passed: number;
  /** Which of two lower bands has its turn next. */
  isLowestNext: boolean;
}

export function createBandTurns(): BandTurns {
  const queues = new Map<string, Turns>();
  return {
    share: (queue, waiting, max) => {
      const turns = queues.get(queue) ?? { passed: 0, isLowestNext: true };
      queues.set(queue, turns);
      const bands = bandsIn(waiting);
      if (bands.length <= 1) {
        turns.passed = 0;
        return bands.flatMap((band) => Array<number>(Math.min(waiting[band] ?? 0, max)).fill(band));
      }
      const left = [...waiting];
      const order: number[] = [];
      while (order.length < max) {
        const band = choose(left, turns);
        if (band === undefined) break;
        left[band] = (left[band] ?? 0) - 1;
        order.push(band);
      }
      return order;
    },
  };
}

function choose(left: readonly number[], turns: Turns): number | undefined {
  const [highest, ...lower] = bandsIn(left);
  if (lower.length === 0) {
    turns.passed = 0;
    return highest;
  }
  turns.passed += 1;
  if (turns.passed < turn) return highest;
  turns.passed = 0;
  turns.isLowestNext = !turns.isLowestNext;
  return turns.isLowestNext ? lower[0] : lower.at(-1);
}

function bandsIn(waiting: readonly number[]): readonly number[] {
  return [...waiting.keys()].filter((band) => (waiting[band] ?? 0) > 0);
}
