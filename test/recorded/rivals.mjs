// Which detectors recognise the same candidates on the recorded programs: the one that is asked first gets them.
// node test/recorded/rivals.mjs [NAME…]   only pairs with one of these detectors

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compareAll } from '../../dist/commands/comparison.js'
import { comparisonOf } from '../../dist/commands/inputs.js'
import { growingCandidates, unevenCandidates } from '../../dist/detectors/candidates.js'
import { HEAP_DETECTORS } from '../../dist/detectors/index.js'
import { silentProgress } from '../../dist/support/progress.js'
import { unpackBase, unpackBundle } from './bundles.mjs'

const wanted = process.argv.slice(2)
const bundles = fileURLToPath(new URL('bundles/', import.meta.url))
const bases = new Map()
/** By the names of two detectors, the recordings. */
const pairs = new Map()
const files = readdirSync(bundles).filter((file) => file.endsWith('.br') && !file.startsWith('base-'))
for (const file of files) await compare(file)

console.log('| is asked first | would recognise it as well | recordings | such as |\n|---|---|---|---|')
for (const [pair, seen] of [...pairs].sort()) {
  const names = pair.split(' ')
  if (wanted.length > 0 && !names.some((name) => wanted.includes(name))) continue
  console.log(`| ${names.join(' | ')} | ${seen.size} | ${[...seen][0]} |`)
}

async function compare(file) {
  const node = /-(node\d+)\.br$/.exec(file)[1]
  if (!bases.has(node)) bases.set(node, unpackBase(readFileSync(join(bundles, `base-${node}.br`))))
  const folder = mkdtempSync(join(tmpdir(), 'leakscope-rivals-'))
  try {
    unpackBundle(readFileSync(join(bundles, file)), folder, bases.get(node))
    await compareAll(await comparisonOf([folder]), silentProgress, {
      ...{ limit: 10, sort: 'retained', index: false, json: true, signal: new AbortController().signal },
      onLeaks: (captures) => note(captures, file.replace(/\.br$/, '')),
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function note(captures, recording) {
  const { isolates, readSource } = captures
  const candidates = isolates.flatMap((of) => [
    ...growingCandidates(of, readSource),
    ...unevenCandidates(of, readSource),
  ])
  for (const candidate of candidates) {
    const names = HEAP_DETECTORS.filter(({ diagnose }) => diagnose(candidate, captures)).map(({ name }) => name)
    for (const [i, first] of names.entries()) {
      for (const other of names.slice(i + 1)) {
        const pair = `${first} ${other}`
        pairs.set(pair, (pairs.get(pair) ?? new Set()).add(recording))
      }
    }
  }
}
