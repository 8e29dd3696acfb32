// Whose a script is: the program's own, a package's, or Node's.

import { builtinModules } from 'node:module'
import { packageOf } from '../support/sources.ts'

/** Whether a script is the program's own, neither Node's nor a dependency's. */
export const isOwn = (url: string): boolean => !url.startsWith('node:') && packageOf(url) === null

/** `undici`, or `node:net` for Node's own, whose insides go by other names. */
export function originOf(url: string): string | undefined {
  return url.startsWith('node:') ? nodeModule(url.slice(5)) : (packageOf(url) ?? undefined)
}

/** The public module of one of Node's own scripts, or of a specifier. */
export function nodeModule(name: string): string {
  const plain = name.replace(/^(internal\/)?_?/, '').replace(/^streams\b/, 'stream')
  const whole = plain.split('/')[0]!
  return `node:${builtinModules.includes(whole) ? whole : (whole.split('_')[0] ?? whole)}`
}
