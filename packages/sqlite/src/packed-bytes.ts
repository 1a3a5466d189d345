/** Bytes on their way to another thread: views of one new buffer, which is handed over. */
export interface PackedBytes<T extends Uint8Array | undefined> {
  readonly views: readonly T[];
  readonly buffer: ArrayBuffer;
}

/** Copies pieces into a buffer of their own: a piece may be part of a pool, which must not go along. */
export function packBytes<T extends Uint8Array | undefined>(pieces: readonly T[]): PackedBytes<T> {
  const buffer = new ArrayBuffer(pieces.reduce((sum, piece) => sum + (piece?.byteLength ?? 0), 0));
  let offset = 0;
  const views = pieces.map((piece) => {
    if (piece === undefined) return piece;
    const view = new Uint8Array(buffer, offset, piece.byteLength);
    view.set(piece);
    offset += piece.byteLength;
    return view as T;
  });
  return { views, buffer };
}
