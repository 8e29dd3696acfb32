// Chance for the programs of the flake study: the same numbers for the same $SEED.

/** Numbers from 0 to 1 (mulberry32). */
export function dice(seed = Number(process.env.SEED ?? 1)) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What a leaking program loses by each iteration: 100 bytes to 10 KB, as often between 100 and 1,000 as above. */
export const lostBytes = () => Math.round(100 ** (1 + dice()()))

let texts = 0
/** A text of so many bytes, unlike all others. */
export const textOf = (bytes) => Buffer.alloc(Math.max(1, bytes), `text ${texts++} `).toString('latin1')
