// Installed npm packages by the URL of a script of theirs: their real name, their version, what they depend on.

import { packageOf, type ReadSource } from './sources.ts'

export interface InstalledPackage {
  /** As in its package.json: `npm:` aliases are installed in folders of another name. */
  readonly name: string
  /** Null where its package.json cannot be read. */
  readonly version: string | null
  /** Names that imports of it begin with: that of its folder. */
  readonly specifier: string
  /** URL or path of its folder, with a slash at the end. */
  readonly folder: string
  readonly manifest: Manifest
}

/** What is wanted of a package.json. */
export interface Manifest {
  readonly name?: unknown
  readonly version?: unknown
  readonly types?: unknown
  readonly typings?: unknown
  readonly dependencies?: unknown
  readonly peerDependencies?: unknown
}

/** The package of a script; undefined for the program's own scripts and for Node's. */
export function packageAt(readSource: ReadSource, url: string): InstalledPackage | undefined {
  const specifier = packageOf(url)
  if (specifier === null) return undefined
  const folder = url.slice(0, url.lastIndexOf(`/node_modules/${specifier}/`) + `/node_modules/${specifier}/`.length)
  const manifest = parse(readSource(`${folder}package.json`))
  const { name, version } = manifest
  return {
    name: typeof name === 'string' && name !== '' ? name : specifier,
    version: typeof version === 'string' ? version : null,
    ...{ specifier, folder, manifest },
  }
}

/** `p-queue@9.0.0`, or `p-queue` where the version is not known. */
export const nameWithVersion = ({ name, version }: { name: string; version: string | null }): string =>
  version === null ? name : `${name}@${version}`

/** Where a package's file stands inside the package: `dist/index.js`. */
export const fileIn = ({ folder }: InstalledPackage, url: string): string =>
  url.slice(folder.length).replace(/[?#].*$/s, '')

/** Packages that are looked at for one answer. */
const MOST_PACKAGES = 300

/** Whether a package is among those that another one needs, over any number of steps. */
export function needs(readSource: ReadSource, from: InstalledPackage, specifier: string): boolean {
  const seen = new Set([from.specifier])
  const waiting = [from]
  for (let at = waiting.pop(); at !== undefined && seen.size < MOST_PACKAGES; at = waiting.pop()) {
    for (const name of dependenciesOf(at.manifest)) {
      if (name === specifier) return true
      if (seen.has(name)) continue
      seen.add(name)
      const found = resolvePackage(readSource, at.folder, name)
      if (found) waiting.push(found)
    }
  }
  return false
}

/** The package that a script gets by a name: of the node_modules beside it, or of those above. */
export function resolvePackage(readSource: ReadSource, from: string, name: string): InstalledPackage | undefined {
  for (let end = from.lastIndexOf('/'); end >= 0; end = from.lastIndexOf('/', end - 1)) {
    const manifest = `${from.slice(0, end)}/node_modules/${name}/package.json`
    if (readSource(manifest) !== undefined) return packageAt(readSource, manifest)
    if (end === 0) break
  }
  return undefined
}

const dependenciesOf = ({ dependencies, peerDependencies }: Manifest): string[] =>
  [dependencies, peerDependencies].flatMap((each) =>
    typeof each === 'object' && each !== null ? Object.keys(each) : [],
  )

function parse(text: string | undefined): Manifest {
  if (text === undefined) return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
