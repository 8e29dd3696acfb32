// Something that changes bytes on their way into a file, a piece at a time: packing, redaction.

export interface Encoder {
  /**
   * Takes the next bytes, of which it keeps none; returns what can be written by now, perhaps nothing. That may be
   * gone after the next call.
   */
  push(piece: Uint8Array): Uint8Array
  /** Returns what is left to write. Nothing may be pushed afterwards. */
  end(): Uint8Array
}

/** Encoders one behind the other. */
export function chain(encoders: readonly Encoder[]): Encoder {
  const through = (piece: Uint8Array, from: number): Uint8Array =>
    encoders.slice(from).reduce((bytes, encoder) => (bytes.length > 0 ? encoder.push(bytes) : bytes), piece)
  return {
    push: (piece) => through(piece, 0),
    end: () => Buffer.concat(encoders.map((encoder, i) => Buffer.from(through(encoder.end(), i + 1)))),
  }
}
