// A folder that appears under its name only when it is whole.

import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { LeakscopeError } from '../errors.ts'
import { alreadyExists, attempt } from './files.ts'

/** A folder in the making. */
export interface PartialFolder {
  /** Where it is until it has its name. */
  readonly path: string
  /** Gives the folder its name. */
  commit(): void
  /** Takes the folder away with all that is in it, unless it was committed; may be called at any time, and twice. */
  discard(): void
}

/** Tells a folder that may be replaced, by the names of what is in it. */
export type MayReplace = (entries: readonly string[]) => boolean

/**
 * Makes a folder that will be `path`, open to its owner only. Refuses a name that is taken, unless `force` allows to
 * replace a folder of the same kind.
 */
export function createPartialFolder(path: string, force: boolean, mayReplace: MayReplace): PartialFolder {
  requireFolderName(path, force, mayReplace)
  const whole = resolve(path)
  const random = Math.random().toString(36).slice(2, 8)
  const beside = (ending: string) => join(dirname(whole), `.${basename(whole)}.${process.pid}-${random}.${ending}`)
  const partial = beside('partial')
  attempt(path, () => mkdirSync(partial, { mode: 0o700 }))

  return {
    path: partial,
    commit() {
      requireFolderName(path, force, mayReplace)
      if (!lstatSync(whole, { throwIfNoEntry: false })) {
        // Fails where somebody has made a folder of that name this very moment, unless there is nothing in it.
        attempt(path, () => renameSync(partial, whole))
        return
      }
      const old = beside('old')
      attempt(path, () => renameSync(whole, old))
      try {
        attempt(path, () => renameSync(partial, whole))
      } catch (error) {
        renameSync(old, whole)
        throw error
      }
      rmSync(old, { recursive: true, force: true })
    },
    discard: () => rmSync(partial, { recursive: true, force: true }),
  }
}

/** Throws unless `path` can become a folder: a parent that exists, and a name that is free or may be taken. */
export function requireFolderName(path: string, force: boolean, mayReplace: MayReplace): void {
  const parent = dirname(resolve(path))
  if (!statSync(parent, { throwIfNoEntry: false })?.isDirectory()) {
    throw new LeakscopeError('file-not-writable', `the folder ${parent} does not exist`)
  }
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there === undefined) return
  if (!there.isDirectory()) {
    throw new LeakscopeError('file-not-writable', `${path} is there already, and is not a folder`, {
      hint: 'Give -o the name of a folder that is to be made.',
    })
  }
  if (!force) throw alreadyExists(path)
  if (!mayReplace(readdirSync(path))) {
    throw new LeakscopeError('file-not-writable', `${path} is a folder with other things in it`, {
      hint: '--force only replaces what leakscope has made. Give -o another name.',
    })
  }
}

/**
 * Makes a private folder and those above it. One by one: with `recursive`, Node 20 tries for ever where the system says
 * that the folder above, which is there, is not.
 */
export function makeFolders(path: string): void {
  const missing: string[] = []
  for (let at = path; !statSync(at, { throwIfNoEntry: false }); at = dirname(at)) missing.push(at)
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder, { mode: 0o700 })
    } catch (error) {
      // Somebody else was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}
