// Stops a process as a capture does, says so, and never lets it go by itself. Arguments: the pid, the most that it may be
// stopped, in milliseconds, and the folder of its cgroup, if it is to be stopped by that.
import { byFreezer, bySignal, startWatchdog, statOf, whileStopped } from '../../dist/outside/stop.js'

const [pid, limitMs] = process.argv.slice(2, 4).map(Number)
const folder = process.argv[4]
const { birth } = statOf(pid)
const watchdog = await startWatchdog(pid, birth, limitMs, folder)
const hold = () => {
  process._rawDebug('stopped')
  for (;;);
}
const halting = folder === undefined ? bySignal(pid, birth) : byFreezer(folder)
whileStopped(pid, birth, limitMs, hold, { halting, onStopped: watchdog.stopped })
