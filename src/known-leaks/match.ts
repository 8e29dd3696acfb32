// Which of the published leaks a finding is: by the version that runs and by how it looks in the heap, never by one of them alone.

import type { KnownLeak } from './known-leak.ts'
import { NODE_LEAKS } from './node.ts'
import { PACKAGE_LEAKS } from './packages.ts'
import { isInRange } from './versions.ts'

/** What a heap shows of a leak. */
export interface Seen {
  readonly pattern: string
  /** Names of references and of objects on the path, as they are in the heap. */
  readonly path: readonly string[]
  /** Classes of what leaks and of what came with it. */
  readonly classes: ReadonlySet<string>
  /** Packages that add or hold what leaks; Node itself as `node`. */
  readonly packages: readonly SeenPackage[]
}

export interface SeenPackage {
  readonly name: string
  readonly version: string
  /** Files inside the package. */
  readonly files: readonly string[]
  /** Functions that add what leaks, or lead to what does. */
  readonly functions: readonly string[]
}

/** The published leak that fits; undefined where none does. */
export function findKnownLeak(
  seen: Seen,
  known: readonly KnownLeak[] = [...PACKAGE_LEAKS, ...NODE_LEAKS],
): KnownLeak | undefined {
  return known.find((leak) =>
    seen.packages.some(
      (each) => each.name === leak.package && isInRange(each.version, leak.affected) && looksLike(leak, seen, each),
    ),
  )
}

function looksLike({ looks }: KnownLeak, seen: Seen, { files, functions }: SeenPackage): boolean {
  const { patterns, path, classes } = looks
  return (
    (!patterns || patterns.includes(seen.pattern)) &&
    (!path || path.every((name) => seen.path.includes(name))) &&
    (!classes || classes.some((name) => seen.classes.has(name))) &&
    (!looks.files || looks.files.some((end) => files.some((file) => file === end || file.endsWith(`/${end}`)))) &&
    (!looks.functions || looks.functions.some((name) => functions.includes(name)))
  )
}

/** `20.16.0 and 22.4.0`; null where no version is without it. */
export const fixedIn = ({ fixedIn: versions }: KnownLeak): string | null =>
  versions.length === 0 ? null : versions.join(' and ').replace(/ and (?=.* and )/g, ', ')

/** Where it is written about; GitHub leads from the number of an issue to that of a change. */
export function urlOf({ id }: KnownLeak): string {
  const [, repository, sign, name] = /^(.+)([#@])(\w+)$/.exec(id) ?? []
  if (repository === undefined) return `https://github.com/advisories/${id}`
  return `https://github.com/${repository}/${sign === '#' ? 'issues' : 'commit'}/${name}`
}
