// Makes a huge snapshot small enough for a repository, and the same bytes of it again: numbers as differences.
//
// What makes a heap huge is regular: ten million edges of which each has the index after the last one's, ten million
// strings "0", "1", "2"… Told as differences, those are the same few bytes over and over, which Brotli then folds up.
//
// What is packed: how many numbers there are (32 bits), a record for each, and the text behind the last one. Each number
// is compared with the one that stands `stride` numbers in front of it, the same column of the row before, and so is the
// text in front of it. A record starts with their difference (zigzag), shifted left by a bit that says whether the text
// differs; if so, there follow the text's length, the stride from this number on (0: as before), and the text. All of
// these are LEB128.

const ZERO = 0x30
/** A longer one counts as several with no text between, as does one that starts with 0: then all fits 31 bits. */
const MAX_DIGITS = 8
const MAX_STRIDE = 32
const PIECE_BYTES = 1 << 20

/**
 * @param {Buffer} bytes a `.heapsnapshot`
 * @returns {Buffer} longer or shorter, and made to be compressed
 */
export function pack(bytes) {
  const strides = rowLengths(bytes)
  let out = Buffer.allocUnsafe(PIECE_BYTES)
  let length = 0
  function writeCount(value) {
    for (; value > 0x7f; value >>>= 7) out[length++] = value | 0x80
    out[length++] = value
  }

  // By place in the row: the last number, and where the text in front of it starts and how long that is.
  const numbers = new Int32Array(MAX_STRIDE)
  const textStarts = new Int32Array(MAX_STRIDE)
  const textLengths = new Int32Array(MAX_STRIDE)
  let stride = 1
  let place = 0
  let count = 0
  let textStart = 0
  for (let at = 0; at < bytes.length; ) {
    if (!isDigit(bytes[at])) {
      at++
      continue
    }
    const textLength = at - textStart
    const end = bytes[at] === ZERO ? at + 1 : at + MAX_DIGITS
    let number = 0
    while (at < end && isDigit(bytes[at])) number = 10 * number + bytes[at++] - ZERO

    if (length + textLength + 32 > out.length) {
      const larger = Buffer.allocUnsafe(2 * (length + textLength + 32))
      out.copy(larger, 0, 0, length)
      out = larger
    }
    const differs =
      textLength !== textLengths[place] ||
      bytes.compare(bytes, textStarts[place], textStarts[place] + textLength, textStart, textStart + textLength) !== 0
    const newStride = (differs && strides.get(sectionBehind(bytes, textStart, textLength))) || 0
    if (newStride > 0) {
      stride = newStride
      place = 0
    }
    const difference = number - numbers[place]
    writeCount((((difference << 1) ^ (difference >> 31)) << 1) | (differs ? 1 : 0))
    if (differs) {
      writeCount(textLength)
      writeCount(newStride)
      length += bytes.copy(out, length, textStart, textStart + textLength)
    }
    numbers[place] = number
    textStarts[place] = textStart
    textLengths[place] = textLength
    if (++place === stride) place = 0
    count++
    textStart = at
  }
  const head = Buffer.alloc(4)
  head.writeUInt32LE(count)
  return Buffer.concat([head, out.subarray(0, length), bytes.subarray(textStart)])
}

const isDigit = (byte) => byte >= ZERO && byte <= ZERO + 9

/** By section of the file: numbers in a row, which the file's head tells. */
function rowLengths(bytes) {
  const head = bytes.toString('latin1', 0, 8192)
  const length = (fields) => new RegExp(`"${fields}":\\[(.*?)\\]`).exec(head)?.[1].split(',').length
  return new Map([
    ['nodes', length('node_fields')],
    ['edges', length('edge_fields')],
    ['locations', length('location_fields')],
  ])
}

/** The name of the section whose rows start right behind this text, if any. */
function sectionBehind(bytes, start, length) {
  return /"(\w+)":\[$/.exec(bytes.toString('latin1', start + Math.max(0, length - 16), start + length))?.[1]
}

/**
 * @param {Buffer} packed what `pack` made
 * @returns {Generator<Buffer>} the snapshot, in pieces of a MiB or so
 */
export function* unpack(packed) {
  const numbers = new Int32Array(MAX_STRIDE)
  const textStarts = new Int32Array(MAX_STRIDE)
  const textLengths = new Int32Array(MAX_STRIDE)
  let stride = 1
  let place = 0
  let at = 4
  function readCount() {
    let byte = packed[at++]
    let value = byte & 0x7f
    for (let shift = 7; byte > 0x7f; shift += 7) {
      byte = packed[at++]
      value |= (byte & 0x7f) << shift
    }
    return value
  }

  let left = packed.readUInt32LE(0)
  /** Unpacks numbers until there is no more room for another one; says how many bytes are filled. */
  function fill(out) {
    let length = 0
    while (left > 0) {
      const recordAt = at
      const header = readCount()
      let textStart = textStarts[place]
      let textLength = textLengths[place]
      let newStride = 0
      if (header & 1) {
        textLength = readCount()
        newStride = readCount()
        textStart = at
        at += textLength
      }
      if (length + textLength + MAX_DIGITS > out.length) {
        at = recordAt
        return length
      }
      if (newStride > 0) {
        stride = newStride
        place = 0
      }
      if (textLength < 16) for (let i = 0; i < textLength; i++) out[length++] = packed[textStart + i]
      else length += packed.copy(out, length, textStart, textStart + textLength)
      const number = numbers[place] + ((header >>> 2) ^ -((header >>> 1) & 1))
      let end = length + 1
      for (let power = 10; number >= power; power *= 10) end++
      for (let digits = number, to = end; to > length; digits = (digits / 10) | 0) out[--to] = ZERO + (digits % 10)
      length = end
      numbers[place] = number
      textStarts[place] = textStart
      textLengths[place] = textLength
      if (++place === stride) place = 0
      left--
    }
    return length
  }
  let pieceBytes = PIECE_BYTES
  while (left > 0) {
    const piece = Buffer.allocUnsafe(pieceBytes)
    const filled = fill(piece)
    // One text is longer than a whole piece.
    pieceBytes = filled === 0 ? 2 * pieceBytes : PIECE_BYTES
    if (filled > 0) yield piece.subarray(0, filled)
  }
  if (at < packed.length) yield packed.subarray(at)
}
