// The text inside a JSON string, from bytes to bytes, without a JavaScript string in between.

const BACKSLASH = 0x5c

/** Index: the byte after a backslash. What the two stand for; 0 where that is not one byte (`\u`), or nothing. */
const MEANING = new Uint8Array(256)
for (const [letter, meaning] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  MEANING[letter!.charCodeAt(0)] = meaning!.charCodeAt(0)
}

/**
 * Writes what `source[start, end)`, the inside of a JSON string, stands for into `target` from `at` on; that takes at
 * most as many bytes. Returns where it ended, or -1 when there is an escape of the `\u` kind: those are for JSON.parse.
 */
export function unescapeJson(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  let to = at
  for (let i = start; i < end; i++) {
    let byte = source[i]!
    if (byte === BACKSLASH) {
      byte = MEANING[source[++i]!]!
      if (byte === 0) return -1
    }
    target[to++] = byte
  }
  return to
}
