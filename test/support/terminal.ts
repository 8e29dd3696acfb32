// A real terminal for leakscope to run in, of which one can read what is on the screen and press keys.

import { type IPty, spawn } from '@lydell/node-pty'
import xterm from '@xterm/headless'
import { afterEach } from 'vitest'
import { CLI, until } from './target.ts'

export interface TerminalRun {
  readonly pid: number
  /** What is on the screen now: as many lines as it has rows, without blanks at their ends. */
  screen(): string[]
  /** The screen as one text, without what is empty. */
  text(): string
  /** Everything that was sent to it. */
  raw(): string
  press(keys: string): void
  resize(columns: number, rows: number): void
  /** Resolves with the exit code. */
  readonly done: Promise<number>
  /** Whether it shows the screen of a program, instead of what was there before. */
  isTakenOver(): boolean
  isCursorShown(): boolean
}

const running = new Set<IPty>()
afterEach(() => {
  for (const pty of running) pty.kill('SIGKILL')
  running.clear()
})

/** Starts leakscope in a terminal of that size; with `shell`, that command line instead, where `leakscope` is the program. */
export function inTerminal(
  args: readonly (string | number)[],
  { columns = 80, rows = 24, env = {} as NodeJS.ProcessEnv, cwd = process.cwd(), shell = '' } = {},
): TerminalRun {
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 1000 })
  const line = shell.replaceAll('leakscope', `'${process.execPath}' '${CLI}'`)
  const [file, list] = shell ? ['/bin/bash', ['--norc', '-ic', line]] : [process.execPath, [CLI, ...args.map(String)]]
  // Each of these decides about colours, `CI` too: what is tested is a person's terminal.
  const { CI, NO_COLOR, FORCE_COLOR, NODE_DISABLE_COLORS, ...rest } = process.env
  const clean = { ...rest, TERM: 'xterm-256color', ...env }
  const pty = spawn(file, list, { cols: columns, rows, cwd, env: clean, name: clean.TERM })
  running.add(pty)
  let raw = ''
  let cursor = true
  pty.onData((data) => {
    raw += data
    const [last] = [...data.matchAll(/\x1b\[\?25([hl])/g)].slice(-1)
    if (last) cursor = last[1] === 'h'
    terminal.write(data)
  })
  const done = new Promise<number>((resolve) => {
    pty.onExit(({ exitCode, signal }) => resolve(signal ? 128 + signal : exitCode))
  }).then(async (code) => {
    // What was written last may still be on its way through the terminal.
    await new Promise<void>((resolve) => terminal.write('', resolve))
    return code
  })
  const screen = () => {
    const { active } = terminal.buffer
    return Array.from({ length: terminal.rows }, (_, i) =>
      (active.getLine(active.baseY + i)?.translateToString(true) ?? '').trimEnd(),
    )
  }
  return {
    pid: pty.pid,
    screen,
    text: () =>
      screen()
        .filter((each) => each !== '')
        .join('\n'),
    raw: () => raw,
    press: (keys) => pty.write(keys),
    resize(nowColumns, nowRows) {
      terminal.resize(nowColumns, nowRows)
      pty.resize(nowColumns, nowRows)
    },
    done,
    isTakenOver: () => terminal.buffer.active.type === 'alternate',
    isCursorShown: () => cursor,
  }
}

/** Waits until the screen has it. */
export async function shows(run: TerminalRun, what: string | RegExp, ms = 60_000): Promise<void> {
  const has = () => (typeof what === 'string' ? run.text().includes(what) : what.test(run.text()))
  await until(has, `${what} on the screen`, ms).catch((error: Error) => {
    throw new Error(`${error.message}; there is\n${run.text()}`)
  })
}
