// A retaining path in words: `context variable 'logs'`, `Array[48,211]`.

import { formatCount } from '../support/format.ts'
import { isIdentifier, type PathReference, type PathStep, type Thing } from './retaining-path.ts'

/** `.user`, `[12]`, `entry "key"`, …; empty at the start of a path. */
export function referenceWords({ kind, name }: PathReference): string {
  switch (kind) {
    case 'start':
      return ''
    case 'property':
      return isIdentifier(name!) ? `.${name}` : `[${JSON.stringify(name)}]`
    case 'symbol':
      return `[symbol ${name}]`
    case 'variable':
      return `context variable '${name}'`
    case 'local':
      return name === undefined ? '(local variable)' : `local variable '${name}'`
    case 'element':
      return `[${name}]`
    case 'entry':
      return name === undefined ? 'entry' : `entry ${JSON.stringify(name)}`
    case 'closure':
      return 'closed over'
    case 'outer scope':
      return 'outer scope'
    case 'WeakMap value':
    case 'hidden':
      return `(${kind})`
    case 'internal':
      return `(${name})`
  }
}

/** `Map`, `function onData`, `module file:///app/chat.mjs`, `Array[48,211]`, … */
export function thingWords({ kind, name, length = 0 }: Thing): string {
  switch (kind) {
    case 'root':
      return '(GC root)'
    case 'function':
    case 'suspended function':
      return `${kind} ${name || '(anonymous)'}`
    case 'scope':
      return 'scope'
    case 'array':
      return `Array[${formatCount(length)}]`
    case 'string':
      return `string ${JSON.stringify(name)}`
    case 'module':
    case 'symbol':
      return `${kind} ${name}`
    case 'regexp':
      return `RegExp ${name}`
    case 'skipped':
      return '…'
    case 'object':
    case 'other':
      return name
  }
}

/** A step with its words, as the Report has it. */
export const withWords = ({ reference, thing, nodeId, times }: PathStep) => ({
  edge: referenceWords(reference),
  node: thingWords(thing),
  reference: { kind: reference.kind, name: reference.name ?? null },
  thing: {
    kind: thing.kind,
    name: thing.name,
    length: thing.length ?? null,
    collection: thing.collection ?? null,
  },
  nodeId,
  times,
})
