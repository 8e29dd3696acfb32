// Numbers by chance that come out the same for the same seed, so that every input can be made again.

/** A generator of its own for input `number` of the run with `seed` (mulberry32, Tommy Ettinger, public domain). */
export function randomFor(seed, number) {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35)) >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  // The first numbers of neighbouring states look alike.
  for (let i = 0; i < 4; i++) next()
  const random = {
    /** 0 … below-1 */
    below: (below) => Math.floor(next() * below),
    chance: (share) => next() < share,
    pick: (list) => list[Math.floor(next() * list.length)],
    /** Small numbers often, large ones now and then: 1 … most */
    few: (most) => 1 + Math.floor(next() ** 3 * most),
  }
  return random
}
