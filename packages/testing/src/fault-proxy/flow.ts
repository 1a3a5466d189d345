import type { Socket } from "node:net";
import type { CheckedMode } from "./fault-mode.ts";

const heldBytes = 1024 * 1024;
const slicesPerSecond = 50;

interface Piece {
  /** `undefined` is the end of the stream. */
  readonly bytes: Buffer | undefined;
  readonly since: number;
}

export interface FlowOptions {
  readonly source: Socket;
  readonly target: Socket;
  readonly mode: () => CheckedMode;
  /** Sees all bytes when they come. False: they are not forwarded. */
  readonly admit: (bytes: Buffer) => boolean;
  readonly onForwarded: (bytes: number) => void;
}

/** One direction of a connection: takes bytes from the source and gives them to the target when the mode lets it. */
export class Flow {
  readonly #options: FlowOptions;
  #pieces: Piece[] = [];
  #held = 0;
  #lineFreeAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FlowOptions) {
    this.#options = options;
    options.source.on("data", (bytes: Buffer) => {
      if (options.admit(bytes)) this.#hold(bytes);
    });
    options.source.on("end", () => this.#hold(undefined));
    options.target.on("drain", () => this.advance());
  }

  /** Ends the target's stream, after what was taken before. Nothing more is taken. */
  finish(): void {
    this.#hold(undefined);
  }

  /** Forwards what may go now. To be called when the mode has changed. */
  advance(): void {
    clearTimeout(this.#timer);
    const { source, target, mode } = this.#options;
    const current = mode();
    while (this.#pieces[0] && current !== "freeze" && !target.writableNeedDrain) {
      const milliseconds = this.#waitOf(this.#pieces[0], current);
      if (milliseconds > 0) {
        this.#timer = setTimeout(() => this.advance(), milliseconds);
        break;
      }
      this.#forward(this.#pieces[0], current);
    }
    if (this.#held > heldBytes || target.writableNeedDrain) source.pause();
    else source.resume();
  }

  /** Forgets what it holds. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#pieces = [];
  }

  #hold(bytes: Buffer | undefined): void {
    this.#pieces.push({ bytes, since: performance.now() });
    this.#held += bytes?.length ?? 0;
    this.advance();
  }

  #waitOf(piece: Piece, mode: CheckedMode): number {
    if (typeof mode === "string") return 0;
    const dueAt = "delay" in mode ? piece.since + mode.delay : this.#lineFreeAt;
    return dueAt - performance.now();
  }

  #forward(piece: Piece, mode: CheckedMode): void {
    this.#pieces.shift();
    if (piece.bytes === undefined) {
      this.#options.target.end();
      return;
    }
    const bytes = this.#sliceFor(piece.bytes, mode);
    if (bytes.length < piece.bytes.length)
      this.#pieces.unshift({ ...piece, bytes: piece.bytes.subarray(bytes.length) });
    this.#held -= bytes.length;
    this.#options.target.write(bytes);
    this.#options.onForwarded(bytes.length);
  }

  /** What goes in one go; a throttled line is then busy for as long as that takes. */
  #sliceFor(bytes: Buffer, mode: CheckedMode): Buffer {
    if (typeof mode === "string" || !("throttle" in mode)) return bytes;
    const slice = bytes.subarray(0, Math.max(1, Math.floor(mode.throttle / slicesPerSecond)));
    this.#lineFreeAt = Math.max(this.#lineFreeAt, performance.now()) + (slice.length * 1000) / mode.throttle;
    return slice;
  }
}
