// Opens a snapshot with leakscope's engine, which leaves an index on disk as it does for everybody; with --again it may
// use the one that an earlier run left. Its memory is measured until the index is written.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openHeap } from './leakscope-engine.mjs'
import { report } from './report.mjs'

const [file, again] = process.argv.slice(2)
const own = again ? undefined : mkdtempSync(join(tmpdir(), 'leakscope-bench-'))
if (own) process.env.LEAKSCOPE_CACHE = own

const start = performance.now()
const { settled, fromIndex, ...found } = await openHeap(file)
const seconds = (performance.now() - start) / 1000
await settled
if (own) rmSync(own, { recursive: true })
report(start, { ...found, seconds, ...(again && !fromIndex && { says: 'so small a file has no index' }) })
