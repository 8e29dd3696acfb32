// The largest of many nodes: twenty million may hang below one.

/**
 * The nodes with the largest sizes, largest first; of equals, those that come first.
 * @param sizes by node ordinal
 * @param limit how many at most
 */
export function largest(nodes: ArrayLike<number>, sizes: ArrayLike<number>, limit: number): number[] {
  const bySize = (a: number, b: number): number => sizes[b]! - sizes[a]!
  let kept: number[] = []
  /** What is no larger is none of them. */
  let floor = -1
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i]!
    if (sizes[node]! <= floor) continue
    kept.push(node)
    if (kept.length < 2 * limit || kept.length < 1000) continue
    kept = kept.sort(bySize).slice(0, limit)
    floor = limit > 0 ? sizes[kept.at(-1)!]! : Number.POSITIVE_INFINITY
  }
  return kept.sort(bySize).slice(0, limit)
}
