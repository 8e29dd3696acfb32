// Versions and ranges of them, as far as published leaks need them: `<9.0.1`, `>=18.17 <24.16 || >=25 <26.1`.

/** Three numbers, and 0 for a release that is not finished (`9.0.0-rc.1`), 1 for one that is. */
type Version = readonly [major: number, minor: number, patch: number, finished: number]
type Holds = (version: Version) => boolean

const VERSION = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(-[\w.-]+)?(?:\+[\w.-]+)?$/

/** What is left out counts as 0. */
function parseVersion(text: string): Version | undefined {
  const found = VERSION.exec(text)
  return found ? [Number(found[1]), Number(found[2] ?? 0), Number(found[3] ?? 0), found[4] ? 0 : 1] : undefined
}

/** Less than 0 where `a` is the older one. */
function compare(a: Version, b: Version): number {
  const at = a.findIndex((part, i) => part !== b[i])
  return at < 0 ? 0 : a[at]! - b[at]!
}

const COMPARISONS: Readonly<Record<string, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
  '=': (order) => order === 0,
}

/** Lists of conditions: a version is in the range if it meets all of one list. Undefined for a text that is no range. */
export function parseRange(range: string): readonly (readonly Holds[])[] | undefined {
  const lists: Holds[][] = []
  for (const part of range.split('||')) {
    const list: Holds[] = []
    for (const text of part.trim().split(/\s+/)) {
      const [, sign, rest] = /^([<>]=?|=)(.+)$/.exec(text) ?? []
      const bound = rest === undefined ? undefined : parseVersion(rest)
      if (!bound) return undefined
      list.push((version) => COMPARISONS[sign!]!(compare(version, bound)))
    }
    lists.push(list)
  }
  return lists
}

/** Whether a version is in a range; one that cannot be read is in none. */
export function isInRange(version: string, range: string): boolean {
  const parsed = parseVersion(version)
  return parsed !== undefined && (parseRange(range) ?? []).some((list) => list.every((holds) => holds(parsed)))
}
