// Parses a snapshot with JSON.parse and does nothing with it.

import { readFileSync } from 'node:fs'
import { report } from './report.mjs'

const start = performance.now()
const { snapshot, nodes } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
report(start, { nodes: nodes.length / snapshot.meta.node_fields.length })
