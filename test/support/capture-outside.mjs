// Reads a process from outside and prints what came of it. Arguments: its pid, and the longest pause in milliseconds.
import { captureFromOutside } from '../../dist/outside/open.js'

const [pid, maxPauseMs] = process.argv.slice(2).map(Number)
try {
  const { heaps, pausedMs } = await captureFromOutside(pid, { maxPauseMs })
  console.log(JSON.stringify({ nodes: heaps[0].snapshot.nodeCount, pausedMs }))
} catch ({ code, message, hint }) {
  console.log(JSON.stringify({ code, message, hint }))
}
