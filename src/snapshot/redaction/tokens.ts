// What stands in the place of a text: a token that keeps its length and says whether two texts are the same.

import crypto from 'node:crypto'

const BLOCK_BYTES = 64
const HASH_BYTES = 32

/** A shorter text's token is nothing but hash, so that as few as possible fall together. */
const MARKED_LENGTH = 8
const MARK = '~'
/** Characters of hash, of six bits each, in a long token; the rest is filler. */
const HASH_LENGTH = 22
const FILLER = '.'

/** Node 20.12 and newer; four times as fast for short texts as what all have. */
type OneShot = (algorithm: string, data: Uint8Array, encoding: BufferEncoding) => string
const sha256 =
  (crypto as { hash?: OneShot }).hash ??
  ((algorithm, data, encoding) => crypto.createHash(algorithm).update(data).digest().toString(encoding))

/** Makes tokens with one key: the same text gives the same token, and without the key no token can be tried out. */
export class Tokens {
  /** The two blocks that HMAC (RFC 2104) makes of the key, with room for what is hashed behind them. */
  #inner: Buffer
  readonly #outer: Buffer

  constructor(key: Uint8Array) {
    const block = Buffer.alloc(BLOCK_BYTES)
    block.set(key.length > BLOCK_BYTES ? crypto.createHash('sha256').update(key).digest() : key)
    this.#inner = Buffer.from(block.map((byte) => byte ^ 0x36))
    this.#outer = Buffer.concat([block.map((byte) => byte ^ 0x5c), Buffer.alloc(HASH_BYTES)])
  }

  /** Tells keys apart without telling them. */
  get keyId(): string {
    return Buffer.from(this.#hash(Buffer.alloc(0)), 'base64url').toString('hex', 0, 4)
  }

  /**
   * @param text in UTF-8
   * @param length of the text, in UTF-16 units, and of its token, which is plain ASCII without quotes or backslashes
   */
  token(text: Uint8Array, length: number): string {
    const hash = this.#hash(text)
    if (length < MARKED_LENGTH) return hash.slice(0, length)
    return (MARK + hash.slice(0, HASH_LENGTH)).slice(0, length).padEnd(length, FILLER)
  }

  tokenOf(text: string): string {
    return this.token(Buffer.from(text), text.length)
  }

  /** HMAC-SHA256 in base64url, 43 characters. */
  #hash(text: Uint8Array): string {
    const end = BLOCK_BYTES + text.length
    if (this.#inner.length < end) this.#inner = Buffer.concat([this.#inner.subarray(0, BLOCK_BYTES)], 2 * end)
    this.#inner.set(text, BLOCK_BYTES)
    this.#outer.write(sha256('sha256', this.#inner.subarray(0, end), 'latin1'), BLOCK_BYTES, 'latin1')
    return sha256('sha256', this.#outer, 'base64url')
  }
}

/** A number's digits that stay, and those that stay of a longer one. */
const MAX_DIGITS = 8
const LEADING_DIGITS = 2

/**
 * The text of a number without what could identify somebody: up to 8 digits stay, of more the first two, the others
 * become zeros: so sizes, limits and intervals keep their magnitude and their order. Undefined for no number.
 */
export function roundedNumber(text: string): string | undefined {
  if (/^(?:NaN|-?Infinity)$/.test(text)) return text
  const [, sign, mantissa, exponent] = /^(-?)(\d+(?:\.\d+)?)(e[+-]?\d{1,3})?$/.exec(text) ?? []
  if (mantissa === undefined) return undefined
  let significant = 0
  const rounded = mantissa.replace(/\d/g, (digit) => {
    if (significant > 0 || digit !== '0') significant++
    return significant > LEADING_DIGITS ? '0' : digit
  })
  return significant > MAX_DIGITS ? `${sign}${rounded}${exponent ?? ''}` : text
}
