// Which verdicts on the recorded programs hang on which weight of src/findings/weights.ts: each is made less and more by a
// part, and what is said of a finding then is compared. node test/recorded/weights.mjs [--by 0.3]

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { compareAll } from '../../dist/commands/common/comparison.js'
import { comparisonOf } from '../../dist/commands/common/inputs.js'
import { confidenceBy, severityOf } from '../../dist/findings/confidence.js'
import { WEIGHTS } from '../../dist/findings/weights.js'
import { silentProgress } from '../../dist/support/progress.js'
import { unpackBase, unpackBundle } from './bundles.mjs'

const { values } = parseArgs({ options: { by: { type: 'string', default: '0.3' } } })
const part = Number(values.by)
/** What is less sure is no finding. */
const LEAST_CONFIDENCE = 0.3

const bundles = fileURLToPath(new URL('bundles/', import.meta.url))
const bases = new Map()
const judged = []
const files = readdirSync(bundles).filter((file) => file.endsWith('.br') && !file.startsWith('base-'))
for (const file of files)
  for (const row of await judgedIn(file)) judged.push({ file: file.replace(/\.br$/, ''), ...row })

const rows = Object.entries(WEIGHTS).map(([kind, { weight }]) => {
  const having = judged.filter(({ grounds }) => grounds.some((each) => each.kind === kind))
  const changed = having.flatMap((row) =>
    [1 - part, 1 + part].flatMap((factor) => {
      const before = verdictBy(row.grounds)
      const after = verdictBy(
        row.grounds.map((each) => (each.kind === kind ? { ...each, weight: Math.min(1, each.weight * factor) } : each)),
      )
      return before === after ? [] : [`${row.file}: ${before} → ${after} at ${(weight * factor).toFixed(2)}`]
    }),
  )
  return { kind, weight, having: having.length, changed }
})

console.log(
  `${judged.length} judgements on ${files.length} recordings; each weight times ${1 - part} and ${1 + part}\n`,
)
console.log('| weight | is | judgements with it | verdicts that change | such as |\n|---|---|---|---|---|')
for (const { kind, weight, having, changed } of rows.sort((a, b) => b.changed.length - a.changed.length)) {
  console.log(`| ${kind} | ${weight} | ${having} | ${changed.length} | ${changed[0] ?? ''} |`)
}
const names = (which) =>
  rows
    .filter(which)
    .map(({ kind }) => kind)
    .join(', ') || 'none'
console.log(`\nin no recording: ${names(({ having }) => having === 0)}`)
console.log(`nothing hangs on: ${names(({ having, changed }) => having > 0 && changed.length === 0)}`)

function verdictBy(grounds) {
  const confidence = confidenceBy(grounds)
  return confidence < LEAST_CONFIDENCE ? 'none' : severityOf(confidence)
}

async function judgedIn(file) {
  const node = /-(node\d+)\.br$/.exec(file)[1]
  if (!bases.has(node)) bases.set(node, unpackBase(readFileSync(join(bundles, `base-${node}.br`))))
  const folder = mkdtempSync(join(tmpdir(), 'leakscope-weights-'))
  try {
    unpackBundle(readFileSync(join(bundles, file)), folder, bases.get(node))
    const { findings, undecided, setAside } = await compareAll(await comparisonOf([folder]), silentProgress, {
      ...{ limit: 10, sort: 'retained', index: false, json: true, signal: new AbortController().signal },
    })
    return [...findings, ...(undecided ?? []), ...setAside].map(({ grounds }) => ({ grounds }))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
