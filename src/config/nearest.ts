// The name that somebody probably meant.

/** Of `names`, the one that is reached with the fewest changes; undefined where it would take too many. */
export function nearest(wrong: string, names: readonly string[]): string | undefined {
  let best: string | undefined
  // Half of a name changed is another name.
  let fewest = Math.max(2, wrong.length / 2)
  for (const name of names) {
    const changes = distance(plain(wrong), plain(name))
    if (changes < fewest) [best, fewest] = [name, changes]
  }
  return best
}

/** `max-growth` is `maxGrowth`. */
const plain = (name: string): string => name.replace(/[-_]/g, '').toLowerCase()

/** Characters put in, taken out, replaced, or swapped with their neighbour: the optimal string alignment distance. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      row[j] = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
