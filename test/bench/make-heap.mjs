// Writes the snapshot of a service with so many users: node make-heap.mjs <thousands of users> <file>

import { writeHeapSnapshot } from 'node:v8'
import { fillService } from './service.mjs'

const [thousands, file] = process.argv.slice(2)
fillService(Number(thousands))
writeHeapSnapshot(file)
