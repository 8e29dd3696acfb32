// How long a user waits for a whole command, from its start to its end.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { median, spread } from './statistics.mjs'

const cli = fileURLToPath(new URL('../../bin/leakscope.js', import.meta.url))

/** @param file the snapshot to analyze */
export function startUp(file, times) {
  const commands = {
    'node -e 0': ['-e', '0'],
    'leakscope --help': [cli, '--help'],
    'leakscope analyze': [cli, 'analyze', file],
  }
  const runs = Object.keys(commands).map(() => [])
  for (let turn = 0; turn < times; turn++) {
    for (const [i, args] of Object.values(commands).entries()) runs[i].push(secondsOf(args))
  }
  return Object.keys(commands).map((name, i) => ({
    name,
    times,
    seconds: spread(runs[i]),
    timesFirst: median(runs[i].map((seconds, turn) => seconds / runs[0][turn])),
  }))
}

function secondsOf(args) {
  const start = performance.now()
  const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' })
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`)
  return (performance.now() - start) / 1000
}
