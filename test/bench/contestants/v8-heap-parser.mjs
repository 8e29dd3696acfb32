// Opens a snapshot with VS Code's engine, Rust in WebAssembly: parsing, retained sizes, class table.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { report } from './report.mjs'

const { decode_bytes, init_panic_hook } = createRequire(import.meta.url)('@vscode/v8-heap-parser')
init_panic_hook()
const start = performance.now()
const graph = decode_bytes(readFileSync(process.argv[2]))
const classes = graph.get_class_groups(0, 2 ** 31, false)
const sum = (numberOf) => classes.reduce((total, each) => total + Number(numberOf(each)), 0)
report(start, { nodes: sum((each) => each.children_len), bytes: sum((each) => each.self_size) })
