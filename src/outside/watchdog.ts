// Runs as a process of its own beside leakscope while that has stopped a target: lets the target go on when leakscope
// dies, or takes too long. Arguments: the target's pid, when it began (as /proc/PID/stat has it), the most that it may
// be stopped, in milliseconds, the most from now on, and the folder of its cgroup where it is stopped by that.

import { readFileSync } from 'node:fs'
import { thaw } from './freezer.ts'

const [pid, birth, limitMs, mostMs] = process.argv.slice(2, 6).map(Number) as [number, number, number, number]
const folder = process.argv[6]

function letGo(): never {
  try {
    if (folder !== undefined) {
      thaw(folder)
      process.exit()
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // Another process may have its pid by now.
    if (Number(fields[19]) === birth) process.kill(pid, 'SIGCONT')
  } catch {
    // It is gone.
  }
  process.exit()
}

process.stdin.on('data', (command) => {
  // Leakscope has let it go itself. Who stops it from now on has a reason to.
  if (command.includes('d')) process.exit()
  if (command.includes('s')) setTimeout(letGo, limitMs)
})
process.stdin.on('end', letGo)
process.stdin.on('error', letGo)
setTimeout(letGo, mostMs)
process.stdout.write('ready')
