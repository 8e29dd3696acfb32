// Compares snapshots with memlab's find-leaks, which wants a third one, taken after what was passing is gone.

import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { report } from './report.mjs'

const { config, findLeaksBySnapshotFilePaths } = createRequire(import.meta.url)('@memlab/api')
const [before, after, final, ...flags] = process.argv.slice(2)
// What its own flag of that name sets: every object that came counts, not only detached DOM and React's.
if (flags.includes('--trace-all-objects')) Object.assign(config, { oversizeObjectAsLeak: true, oversizeThreshold: 0 })

const workDir = mkdtempSync(join(tmpdir(), 'leakscope-bench-memlab-'))
process.once('exit', () => rmSync(workDir, { recursive: true, force: true }))
const { log } = console
console.log = () => {}
const start = performance.now()
const leaks = await findLeaksBySnapshotFilePaths(before, after, final, { consoleMode: 'SILENT', workDir })
console.log = log
// A trace is a record whose keys are its steps, such as "2:   --openTickets (property)--->  [Map](object) @1048997 …".
const steps = Object.keys(leaks[0] ?? {}).flatMap((step) => /^[1-9].*?\[(.+?)\]\(/.exec(step)?.[1] ?? [])
report(start, { says: leaks.length > 0 ? `${leaks.length} found, ${steps.join(' → ')}` : 'no leaks found' })
