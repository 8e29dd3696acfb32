// Whether a property's name reads as if somebody wrote it in source code, or as if a program made it out of data.

/** Longer names are not written by hand. */
const MAX_LENGTH = 60
const MAX_DIGITS = 4
const MAX_DIGIT_GROUPS = 2
/** A name so long, digits and letters, consists of words of three characters on average, and not of fragments. */
const LONG = 8
const MIN_WORD = 3
/** Of the pairs of letters in a name, this part may be strange. One always may: `fd`, `sqlQuery`. */
const STRANGE_PAIRS = 0.15

/**
 * By letter, from a to z: the letters that are not strange behind it. Counted over the 12,000 names of functions,
 * variables and properties of Node 18 to 26; those that are in use by a dozen names or more.
 */
const FOLLOWERS = (
  'bcdefgiklmnprstuvwxyz aegijlorstuy abcdehijkloprstuy acdefhilnoprstuxy abcdefgijlmnopqrstuvwxy adefilnorstuy ' +
  'aceghilmnorstuy adeimorstuy abcdefgiklmnoprstvxz eosw acdeinsu abdefghilmoprstuvy abdeiklmopstu ' +
  'abcdefghiklmnopqrstuvy abcdfgiklmnoprstuvwxy abcdeghiklnoprstuvy u abcdefgiklmnoprstuvwy acefhiklmnopqrstuvwy ' +
  'acdefhilnoprstuwy abcdefgilmnoprstuv aefimp adehiknors ceipty belmnopst aeilsy'
).split(' ')
const COMMON_PAIRS = new Set(
  FOLLOWERS.flatMap((letters, i) => Array.from(letters, (next) => String.fromCharCode(97 + i) + next)),
)

const NAME = /^(?:[gs]et )?#?([A-Za-z_$][\w$]*)$/
const SYMBOL = /^<symbol ?(.*)>$/
/** What stands between the words of a symbol's description, and of names such as `global (global*) / `. */
const BETWEEN_WORDS = /[ .:/()*-]/
const WORDS = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g

/**
 * True for `sessionId`, `_events`, `SSL_OP_ALL`, `#socket`, `get size` and `<symbol nodejs.util.inspect.custom>`;
 * false for e-mail addresses, hexadecimal or random ids, paths, and whatever else is no identifier. Random
 * letters and digits are taken for a name 1 time in 20 when there are 8 of them, and 1 time in 1,000 of 24.
 */
export function looksWritten(name: string): boolean {
  const description = SYMBOL.exec(name)?.[1]
  if (description !== undefined) return wordsLookWritten(description)
  const identifier = NAME.exec(name)?.[1]
  return identifier !== undefined && identifier.length <= MAX_LENGTH && consistsOfWords(identifier)
}

/** The same for a name of several words, such as `Intl.NumberFormat` or `Map Iterator`. */
export function wordsLookWritten(name: string): boolean {
  return name.split(BETWEEN_WORDS).every((word) => word === '' || looksWritten(word))
}

function consistsOfWords(identifier: string): boolean {
  const words = identifier.match(WORDS) ?? []
  const numbers = words.filter((word) => word <= '9~')
  if (numbers.length > MAX_DIGIT_GROUPS || numbers.join('').length > MAX_DIGITS) return false
  const length = words.join('').length
  if (length >= LONG && length < words.length * MIN_WORD) return false
  let pairs = 0
  let strange = 0
  for (const word of words) {
    const letters = word.toLowerCase()
    for (let i = 1; i < letters.length && word > '9~'; i++) {
      pairs++
      if (!COMMON_PAIRS.has(letters.slice(i - 1, i + 1))) strange++
    }
  }
  return strange <= Math.max(1, pairs * STRANGE_PAIRS)
}
