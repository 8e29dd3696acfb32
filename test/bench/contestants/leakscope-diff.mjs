// Compares two snapshots with leakscope's engine.

import { biggestGrowth } from './leakscope-engine.mjs'
import { growthText, report } from './report.mjs'

const start = performance.now()
const top = await biggestGrowth(process.argv[2], process.argv[3])
report(start, { says: top ? `${growthText(top.count, top.className, top.bytes)} held` : 'nothing grew' })
