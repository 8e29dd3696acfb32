// Opens two snapshots with Chrome DevTools' engine and makes its Comparison view.

import { createReadStream } from 'node:fs'
import { openWithDevTools, withoutExtras } from '../../golden/make/engine.mjs'
import { growthText, report } from './report.mjs'

withoutExtras()
const open = (file) => openWithDevTools(createReadStream(file, { highWaterMark: 4 << 20 }))
const start = performance.now()
const { heap: before } = await open(process.argv[2])
const { heap: after } = await open(process.argv[3])
const rows = after.calculateSnapshotDiff('before', before.aggregatesForDiff(after.interfaceDefinitions()))
// The order in which the view shows them at first.
const [top] = Object.values(rows).sort((a, b) => b.addedSize - a.addedSize)
report(start, { says: top ? `${growthText(top.addedCount, top.name, top.addedSize)} themselves` : 'nothing grew' })
