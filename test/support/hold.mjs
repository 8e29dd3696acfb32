// Stops a process as a capture does, says so, and never lets it go by itself. Arguments: the pid, and the most that it
// may be stopped, in milliseconds.
import { startWatchdog, statOf, whileStopped } from '../../dist/outside/stop.js'

const [pid, limitMs] = process.argv.slice(2).map(Number)
const { birth } = statOf(pid)
await startWatchdog(pid, birth, limitMs)
whileStopped(pid, birth, limitMs, () => {
  process._rawDebug('stopped')
  for (;;);
})
