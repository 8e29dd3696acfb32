// Loads modules when they are first wanted, some small, some huge, some late; and compiles what it builds of text.

import { dice } from '../dice.mjs'

const MODULES = [
  'zod',
  'commander',
  'chalk',
  'cli-table3',
  'ws',
  'node:tls',
  'node:sqlite',
  'node:readline',
  'ajv',
  'typescript',
]
const compiled = new Map()

export function setup() {
  const roll = dice()
  return MODULES.map((name) => ({ name, at: Math.floor(30_000 * roll() ** 2) }))
}

export async function iteration(wanted, number) {
  for (const { name, at } of wanted) if (at === number) await import(name).catch(() => {})
  const kind = number % 40
  if (!compiled.has(kind)) compiled.set(kind, new Function('value', `return value * ${kind} + ${kind}`))
  return compiled.get(kind)(number)
}
