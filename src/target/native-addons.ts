// The native addons that a process has loaded, and the npm packages that they came with, as Linux lists its mappings.

import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { readMemoryMap } from './memory-map.ts'

export interface NativeAddon {
  /** As the process knows it. */
  readonly file: string
  /** What a program depends on: of a package with one binary for each platform, the one that chooses among them. */
  readonly package: string | null
  readonly version: string | null
}

/** Undefined where nobody tells: another system, or a process that may not be looked into. */
export function readNativeAddons(pid: number): NativeAddon[] | undefined {
  const files = readMemoryMap(pid)?.flatMap(({ name }) => (/\.node( \(deleted\))?$/.test(name) ? [name] : []))
  return files && [...new Set(files)].map((file) => addonOf(file, `/proc/${pid}/root`))
}

/** @param root what the process sees as its root, which is another one in a container */
export function addonOf(file: string, root: string): NativeAddon {
  const [, folder, name] = /^(.*\/node_modules\/)((?:@[^/]+\/)?[^/]+)\/.*?$/.exec(file) ?? []
  if (folder === undefined || name === undefined) return { file, package: null, version: null }
  const versionOf = (of: string): string | null => {
    try {
      const { version } = JSON.parse(readFileSync(join(root, folder, of, 'package.json'), 'utf8'))
      return typeof version === 'string' ? version : null
    } catch {
      return null
    }
  }
  const chooser = chooserOf(name).find((each) => existsSync(join(root, folder, each, 'package.json'))) ?? name
  return { file, package: chooser, version: versionOf(chooser) }
}

/** `@node-rs/crc32` for `@node-rs/crc32-linux-x64-gnu`, as far as there is such a package beside it. */
function chooserOf(name: string): string[] {
  const [start, platform] = [dirname(name), /^(.+?)-(linux|darwin|win32|freebsd|android)\b/.exec(basename(name))?.[1]]
  return platform === undefined ? [] : [start === '.' ? platform : `${start}/${platform}`]
}
