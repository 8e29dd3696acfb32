// Collects edges node by node. They wait on disk, not in memory, until the copy that they are told from is let go: so
// that a heap takes its copy or its graph, and never both.

import { closeSync } from 'node:fs'
import { EdgeType } from '../snapshot/meta.ts'
import { edgeTarget, edgeType, packEdge } from '../snapshot/snapshot.ts'
import { readFully, writeFully } from '../support/descriptors.ts'
import { openNameless } from '../support/nameless-file.ts'
import { MOST_OTHERS, settledNode } from './numbers.ts'
import type { StringColumn } from './string-column.ts'

/** Edges of a piece, and how many pieces are no reason for a file. */
const PIECE_EDGES = 1 << 17
const MOST_IN_MEMORY = 8
/** From here on a name is no string's number, but a number whose digits are the name. */
const FIRST_NUMBER = 2 ** 31

export class EdgeWriter {
  count = 0
  readonly #pieceEdges: number
  /** Edges, and behind them their names. */
  #piece: Uint32Array
  #filled = 0
  /** The full pieces. What is undefined stands in the file. */
  readonly #pieces: (Uint32Array | undefined)[] = []
  /** An open file without a name; -1 where there is none to be had, or none was needed yet. */
  #file = -1
  #mayUseFile = true
  /** By number that is a name, a bit each. */
  #numbers = new Uint32Array(0)

  /** @param pieceEdges for tests */
  constructor(pieceEdges = PIECE_EDGES) {
    this.#pieceEdges = pieceEdges
    this.#piece = new Uint32Array(2 * pieceEdges)
  }

  push(type: number, name: number, to: number): void {
    if (this.#filled === this.#pieceEdges) this.#nextPiece()
    this.#piece[this.#filled] = packEdge(to, type)
    this.#piece[this.#pieceEdges + this.#filled++] = name
    this.count++
  }

  /** What to push as the name of an internal or a weak edge that is called by its number. */
  numberName(number: number): number {
    const at = number >>> 5
    if (at >= this.#numbers.length) {
      const longer = new Uint32Array(Math.max(at + 1, 2 * this.#numbers.length))
      longer.set(this.#numbers)
      this.#numbers = longer
    }
    this.#numbers[at] = this.#numbers[at]! | (1 << (number & 31))
    return FIRST_NUMBER + number
  }

  #nextPiece(): void {
    this.#filled = 0
    if (this.#pieces.length >= MOST_IN_MEMORY && this.#writeOut()) this.#pieces.push(undefined)
    else {
      this.#pieces.push(this.#piece)
      this.#piece = new Uint32Array(2 * this.#pieceEdges)
    }
  }

  #writeOut(): boolean {
    if (!this.#mayUseFile) return false
    try {
      if (this.#file < 0) this.#file = openNameless()
      if (this.#file >= 0) {
        writeFully(this.#file, bytesOf(this.#piece), this.#pieces.length * this.#piece.byteLength)
        return true
      }
    } catch {
      // The disk is full, or not ours to write to. What is in the file already stays there.
    }
    this.#mayUseFile = false
    return false
  }

  /**
   * Moves all edges to columns of that length, and gives up each piece on the way. Their names get their strings.
   * @param firstNumber with which the nodes of numbers begin
   */
  moveTo(edges: Uint32Array, names: Uint32Array, strings: StringColumn, firstNumber: number): void {
    const length = this.#pieceEdges
    const stringOf = this.#addNumbers(strings)
    this.#pieces.push(this.#piece)
    for (let number = 0; number * length < this.count; number++) {
      const at = number * length
      const count = Math.min(length, this.count - at)
      const [edgesHere, namesHere] = [edges.subarray(at, at + count), names.subarray(at, at + count)]
      const piece = this.#pieces[number]
      this.#pieces[number] = undefined
      if (piece) {
        edgesHere.set(piece.subarray(0, count))
        namesHere.set(piece.subarray(length, length + count))
      } else {
        this.#readBack(edgesHere, 8 * at)
        this.#readBack(namesHere, 8 * at + 4 * length)
      }
      for (let i = 0; i < count; i++) {
        const packed = edgesHere[i]!
        const type = edgeType(packed)
        const to = edgeTarget(packed)
        if (to >= MOST_OTHERS) edgesHere[i] = packEdge(settledNode(to, firstNumber), type)
        const name = namesHere[i]!
        if (name >= FIRST_NUMBER && stringOf && (type === EdgeType.internal || type === EdgeType.weak))
          namesHere[i] = stringOf(name - FIRST_NUMBER)
      }
    }
    this.close()
  }
  #readBack(values: Uint32Array, position: number): void {
    const bytes = bytesOf(values)
    if (readFully(this.#file, bytes, 0, position, bytes.length) < bytes.length) {
      throw new Error('a part of the edges that were written to a temporary file is not there')
    }
  }

  /** Numbers that are names follow all other strings, in order. */
  #addNumbers(strings: StringColumn): ((number: number) => number) | undefined {
    const numbers = this.#numbers
    if (numbers.length === 0) return undefined
    const before = new Uint32Array(numbers.length)
    let next = strings.count
    for (let at = 0; at < numbers.length; at++) {
      before[at] = next
      for (let bits = numbers[at]!; bits !== 0; bits &= bits - 1) {
        strings.addNumber(32 * at + 31 - Math.clz32(bits & -bits))
        next++
      }
    }
    return (number) => {
      let rank = before[number >>> 5]!
      for (let bits = numbers[number >>> 5]! & ((1 << (number & 31)) - 1); bits !== 0; bits &= bits - 1) rank++
      return rank
    }
  }

  /** Lets go of the file. */
  close(): void {
    if (this.#file >= 0) closeSync(this.#file)
    this.#file = -1
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)
