// Checksums of columns that can be written in parts.

/**
 * The sum of a column's 32-bit words, and the sum of each times an odd number that grows with its place, modulo 2⁶⁴:
 * sums of parts add up to the whole's, so that two threads can write one column.
 */
export interface Sums {
  readonly plain: bigint
  readonly weighted: bigint
}
export const NO_SUMS: Sums = { plain: 0n, weighted: 0n }
export const addSums = (a: Sums, b: Sums): Sums => ({
  plain: BigInt.asUintN(64, a.plain + b.plain),
  weighted: BigInt.asUintN(64, a.weighted + b.weighted),
})
