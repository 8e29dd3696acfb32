// The whole of a terminal for as long as it is wanted: pictures on it, keys from it, and all as it was afterwards,
// whatever ends the program.

export interface Screen {
  readonly columns: number
  readonly rows: number
  /** Puts these lines in the place of all that was there. */
  show(lines: readonly string[]): void
  /** Gives the terminal back. */
  close(): void
}

export interface ScreenOptions {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
  /** A character, or one of `up`, `down`, `page-up`, `page-down`, `tab`, `shift-tab`, `escape`, `interrupt`. */
  readonly onKey: (key: string) => void
  /** When it has another size, or shows nothing of ours any more. */
  readonly onResize: () => void
}

// Of xterm, and of whatever else calls itself a terminal by now.
// https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J'
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'

const KEYS: Readonly<Record<string, string>> = {
  '\x1b[A': 'up',
  '\x1bOA': 'up',
  '\x1b[B': 'down',
  '\x1bOB': 'down',
  '\x1b[5~': 'page-up',
  '\x1b[6~': 'page-down',
  '\t': 'tab',
  '\x1b[Z': 'shift-tab',
  '\x1b': 'escape',
  '\x03': 'interrupt',
}
const SUSPEND = '\x1a'

/** Whether pictures can be put on it. */
export function isScreen(output: NodeJS.WriteStream, environment = process.env): boolean {
  const terminal = environment.TERM || (process.platform === 'win32' ? 'windows' : 'dumb')
  return output.isTTY === true && terminal !== 'dumb'
}

/** Takes the terminal over. Keys come only where `input` is a terminal too. */
export function openScreen({ input, output, onKey, onResize }: ScreenOptions): Screen {
  let isOurs = false

  function enter(): void {
    if (isOurs) return
    isOurs = true
    if (input.isTTY) input.setRawMode(true)
    output.write(ENTER)
  }

  function leave(): void {
    if (!isOurs) return
    isOurs = false
    output.write(LEAVE)
    if (input.isTTY) input.setRawMode(false)
  }

  function onData(text: string): void {
    for (const key of keysIn(text)) {
      // As the terminal would, that does not know it for a signal while we read single keys: to all of our job.
      if (key === SUSPEND) process.kill(0, 'SIGTSTP')
      else onKey(KEYS[key] ?? key)
    }
  }
  // Somebody has hung up.
  const onEnd = () => onKey('interrupt')
  function onStop(): void {
    leave()
    process.kill(process.pid, 'SIGSTOP')
  }
  function onContinue(): void {
    enter()
    onResize()
  }

  enter()
  output.on('resize', onResize)
  process.on('exit', leave)
  if (process.platform !== 'win32') process.on('SIGTSTP', onStop).on('SIGCONT', onContinue)
  if (input.isTTY) input.setEncoding('utf8').on('data', onData).on('end', onEnd).on('error', onEnd).resume()

  return {
    // A terminal that nobody told its size says 0.
    get columns() {
      return output.columns || 80
    },
    get rows() {
      return output.rows || 24
    },
    show(lines) {
      if (!isOurs) return
      // Cleared before it is written: behind a full line, the cursor stands on its last character.
      const text = lines.map((line) => `${CLEAR_LINE}${line}`).join('\r\n')
      output.write(`${HOME}${text}${lines.length < this.rows ? `\r\n${CLEAR_BELOW}` : ''}`)
    },
    close() {
      leave()
      output.off('resize', onResize)
      process.off('exit', leave).off('SIGTSTP', onStop).off('SIGCONT', onContinue)
      if (input.isTTY) input.off('data', onData).off('end', onEnd).off('error', onEnd).pause()
    },
  }
}

/** Several may come at once. */
export function keysIn(text: string): string[] {
  return text.match(/\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|./gsu) ?? []
}
