// Looks for the config of a project, from a folder upwards to the root of its package; loads nothing.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { LeakscopeError } from '../errors.ts'

export const CONFIG_FILES = ['json', 'js', 'mjs', 'ts'].map((ending) => `leakscope.config.${ending}`)
/** The key of package.json. */
export const PACKAGE_KEY = 'leakscope'

export interface FoundConfig {
  /** Absolute. */
  readonly file: string
  /** Whether it is the key of a package.json. */
  readonly inPackage: boolean
}

/** Undefined where there is none. Throws where there are two in one folder. */
export function findConfig(cwd: string): FoundConfig | undefined {
  for (const folder of foldersUpTo(cwd)) {
    const found = configIn(folder)
    if (found) return found
  }
  return undefined
}

export function configIn(folder: string): FoundConfig | undefined {
  const found = CONFIG_FILES.map((name) => join(folder, name))
    .filter((file) => existsSync(file))
    .map((file) => ({ file, inPackage: false }))
  const manifest = join(folder, 'package.json')
  if (existsSync(manifest) && hasKey(manifest)) found.push({ file: manifest, inPackage: true })
  if (found.length > 1) {
    const names = found.map(({ file, inPackage }) => (inPackage ? `the key "${PACKAGE_KEY}" of ${file}` : file))
    throw new LeakscopeError('usage-config', `there is more than one config: ${names.join(' and ')}`, {
      hint: 'Keep one of them; --config FILE takes the one that it names.',
    })
  }
  return found[0]
}

/** The folder itself alone where no package is around it: what lies higher up is somebody else's. */
function foldersUpTo(cwd: string): string[] {
  const folders = [resolve(cwd)]
  while (!existsSync(join(folders.at(-1)!, 'package.json'))) {
    const parent = dirname(folders.at(-1)!)
    if (parent === folders.at(-1)) return folders.slice(0, 1)
    folders.push(parent)
  }
  return folders
}

function hasKey(manifest: string): boolean {
  const json = readJson(manifest)
  return typeof json === 'object' && json !== null && PACKAGE_KEY in json
}

export function readJson(file: string): unknown {
  let text: string
  try {
    text = readFileSync(file, 'utf8').replace(/^\ufeff/, '')
  } catch (cause) {
    throw new LeakscopeError('usage-config', `${file} cannot be read: ${(cause as Error).message}`, { cause })
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new LeakscopeError('usage-config', `${file} is no JSON: ${(cause as Error).message}`, { cause })
  }
}
