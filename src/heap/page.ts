// Answers of bounded size: some rows of a list, and how many there are in all.

/** Which rows of a list are wanted. */
export interface PageOptions {
  /** How many rows are left out at the start; default 0. */
  readonly offset?: number
  /** How many rows are given at most; default 100. */
  readonly limit?: number
}

export interface Page<T> {
  readonly rows: readonly T[]
  /** How many rows the whole list has. */
  readonly total: number
}

const DEFAULT_LIMIT = 100

/** The rows of a list with a start and an end, each made when it is known to be wanted. */
export function pageOf<T>(
  total: number,
  { offset = 0, limit = DEFAULT_LIMIT }: PageOptions,
  row: (i: number) => T,
): Page<T> {
  const from = Math.min(total, Math.max(0, offset))
  const length = Math.min(total - from, Math.max(0, limit))
  return { rows: Array.from({ length }, (_, i) => row(from + i)), total }
}

/** The same of what has to be gone through to be counted. */
export function pageThrough<S, T>(all: Iterable<S>, options: PageOptions, row: (each: S) => T): Page<T> {
  const wanted: S[] = []
  let total = 0
  for (const each of all) {
    if (isOnPage(total, options)) wanted.push(each)
    total++
  }
  return { rows: wanted.map(row), total }
}

/** Whether the row of this number is wanted. */
export const isOnPage = (row: number, { offset = 0, limit = DEFAULT_LIMIT }: PageOptions): boolean =>
  row >= offset && row - offset < limit

/** How many rows of the start of a list have to be known for a page. */
export const endOf = ({ offset = 0, limit = DEFAULT_LIMIT }: PageOptions): number => offset + limit
