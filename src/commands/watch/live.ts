// `leakscope watch` in a terminal: keeps the picture up to date, and does what keys ask for.

import type { ChalkInstance } from 'chalk'
import { LeakscopeError } from '../../errors.ts'
import type { Look } from '../../process/recording.ts'
import { formatDuration } from '../../support/format.ts'
import { openScreen, type Screen } from '../../support/screen.ts'
import { showTarget, type TargetName } from '../../target/target.ts'
import type { Target } from '../../target/visit.ts'
import { type Beside, runBeside } from '../common/beside.ts'
import type { Context } from '../common/context.ts'
import { argumentOf } from './actions.ts'
import type { Display } from './display.ts'
import { History } from './history.ts'
import { lastScroll, ORDERS, type Picture, pictureLines, type Subject } from './view.ts'

/** Of each look, so long may be spent on trends: keys wait meanwhile. */
const JUDGE_MS = 40
const REDRAW_MS = 1000
/** How far one key leads. */
const PAGE = 10
/** As many samples of the CPU as `leakscope profile` allows; of allocations, until somebody says stop. */
const MOST_SAMPLING = { cpu: '15min', heap: '24h' }

interface LiveOptions {
  readonly names: readonly TargetName[]
  readonly everyMs: number
  /** Called when the user wants to go. */
  readonly onQuit: () => void
}

/** What has to be asked for twice in a row: in between, what it costs is said. */
type Costly = 'snapshot' | 'diagnose'

interface Asked {
  readonly what: Costly
  readonly which: number
}

export async function liveDisplay(context: Context, options: LiveOptions): Promise<Display> {
  return new Live(context, await context.colors(), options)
}

class Live implements Display {
  readonly #context: Context
  readonly #color: ChalkInstance
  readonly #names: readonly TargetName[]
  readonly #onQuit: () => void
  readonly #screen: Screen
  readonly #histories: readonly History[]
  readonly #timer: NodeJS.Timeout
  /** What commands have printed, for after the screen is gone. */
  readonly #printed: string[] = []
  #picture: Picture
  #closed: Promise<void> | undefined
  #running: { readonly beside: Beside; readonly label: string; readonly startedMs: number } | undefined
  #asked: Asked | undefined
  #goOn = () => {}
  #mayLook: Promise<void> = Promise.resolve()
  #setSeen = () => {}
  readonly #seen: Promise<void>

  constructor(context: Context, color: ChalkInstance, { names, everyMs, onQuit }: LiveOptions) {
    this.#context = context
    this.#color = color
    this.#names = names
    this.#onQuit = onQuit
    this.#histories = names.map(() => new History())
    this.#picture = {
      subjects: names.map((name) => ({
        ...{ name: showTarget(name), command: '', nodeVersion: '', looks: 0, spanMs: 0, rows: [], notes: [] },
        ended: undefined,
      })),
      ...{ selected: 0, everyMs, order: 'listed', scroll: 0, isPaused: false, messages: [] },
      ...{ busy: undefined, sampling: undefined, report: undefined, hasKeys: process.stdin.isTTY === true },
    }
    this.#seen = new Promise((resolve) => {
      this.#setSeen = resolve
    })
    context.signal.addEventListener('abort', () => this.#quit(), { once: true })
    this.#screen = openScreen({
      ...{ input: process.stdin, output: process.stdout },
      onKey: (key) => this.#press(key),
      onResize: () => this.#draw(),
    })
    this.#timer = setInterval(() => this.#running && this.#draw(), REDRAW_MS)
    this.#draw()
  }

  begin(which: number, { pid, nodeVersion, command }: Target): void {
    const name = this.#names[which]!
    const known = name.kind === 'process' ? showTarget(name) : `${showTarget(name)} (process ${pid})`
    this.#change(which, { name: known, nodeVersion, command: command.join(' ') })
  }

  look(which: number, look: Look, atMs: number, notes: readonly string[]): void {
    const history = this.#histories[which]!
    history.add(look, atMs)
    history.judge(JUDGE_MS)
    this.#change(which, { looks: history.looks, spanMs: history.spanMs, rows: history.rows(), notes })
  }

  notice(which: number, text: string): void {
    this.#say(this.#names.length > 1 ? `${showTarget(this.#names[which]!)}: ${text}` : text)
  }

  ended(which: number, why: string): void {
    this.#change(which, { ended: why })
  }

  mayLook(): Promise<void> {
    return this.#mayLook
  }

  seen(): Promise<void> {
    return this.#picture.hasKeys ? this.#seen : Promise.resolve()
  }

  /** The last picture stays in the terminal, and what commands have printed. */
  close(): Promise<void> {
    this.#closed ??= this.#leave()
    return this.#closed
  }

  async #leave(): Promise<void> {
    clearInterval(this.#timer)
    const { columns } = this.#screen
    this.#screen.close()
    this.#goOn()
    const last = { ...this.#picture, hasKeys: false, busy: undefined, report: undefined, messages: [], scroll: 0 }
    const lines = pictureLines(last, { columns, rows: Number.POSITIVE_INFINITY }, this.#color)
    this.#context.out(lines.join('\n').trimEnd())
    if (this.#running) {
      const { beside, label } = this.#running
      this.#context.note(`leakscope: waiting for ${label} to end`)
      beside.stop()
      await beside.done
    }
    for (const line of this.#printed) this.#context.out(line)
  }

  #quit(): void {
    this.#onQuit()
    this.#setSeen()
  }

  #change(which: number, news: Partial<Subject>): void {
    const subjects = this.#picture.subjects.map((subject, i) => (i === which ? { ...subject, ...news } : subject))
    this.#set({ subjects })
  }

  #set(news: Partial<Picture>): void {
    this.#picture = { ...this.#picture, ...news }
    this.#draw()
  }

  #say(...messages: string[]): void {
    this.#set({ messages: [...this.#picture.messages, ...messages].slice(-MOST_MESSAGES) })
  }

  #draw(): void {
    const { columns, rows } = this.#screen
    const busy = this.#running
      ? `${this.#running.label}: ${formatDuration(performance.now() - this.#running.startedMs)}`
      : undefined
    this.#screen.show(pictureLines({ ...this.#picture, busy }, { columns, rows }, this.#color))
  }

  #press(key: string): void {
    const { selected, subjects, order, isPaused, report } = this.#picture
    const asked = this.#asked
    this.#asked = undefined
    const scroll = (by: number) =>
      this.#set({ scroll: Math.max(0, Math.min(lastScroll(this.#picture), this.#picture.scroll + by)) })
    const select = (by: number) =>
      this.#set({ selected: (selected + by + subjects.length) % subjects.length, scroll: 0, messages: [] })
    const always: Readonly<Record<string, () => void>> = {
      q: () => this.#quit(),
      // As without us: it goes the way of the signal.
      interrupt: () => process.emit('SIGINT'),
      up: () => scroll(-1),
      down: () => scroll(1),
      'page-up': () => scroll(-PAGE),
      'page-down': () => scroll(PAGE),
      escape: () => this.#set({ report: undefined, scroll: 0, messages: [] }),
    }
    const besideRows: Readonly<Record<string, () => void>> = {
      tab: () => select(1),
      'shift-tab': () => select(-1),
      o: () => this.#set({ order: ORDERS[(ORDERS.indexOf(order) + 1) % ORDERS.length]!, scroll: 0 }),
      p: () => this.#pause(!isPaused),
      ' ': () => this.#pause(!isPaused),
      c: () => this.#sample('cpu'),
      h: () => this.#sample('heap'),
      s: () => this.#ask('snapshot', asked),
      d: () => this.#ask('diagnose', asked),
    }
    const act = always[key] ?? (report === undefined ? besideRows[key] : undefined)
    act?.()
  }

  #pause(isPaused: boolean): void {
    this.#goOn()
    if (isPaused) {
      this.#mayLook = new Promise((resolve) => {
        this.#goOn = resolve
      })
    }
    this.#set({ isPaused })
  }

  #sample(kind: 'cpu' | 'heap'): void {
    if (this.#picture.sampling === kind) {
      this.#running?.beside.stop()
      return
    }
    const what = kind === 'cpu' ? 'the CPU' : 'allocations'
    const args = ['profile', this.#target(), `--${kind}`, '--duration', MOST_SAMPLING[kind]]
    if (this.#run(args, `sampling ${what} (${kind === 'cpu' ? 'c' : 'h'} stops it)`, kind))
      this.#set({ sampling: kind })
  }

  #ask(what: Costly, asked: Asked | undefined): void {
    const which = this.#picture.selected
    const target = this.#target()
    if (asked?.what === what && asked.which === which) {
      if (what === 'snapshot') this.#run(['snapshot', target], 'taking a snapshot')
      else this.#run(['diagnose', target], 'diagnosing, which takes half a minute and three snapshots')
      return
    }
    const key = what === 'snapshot' ? 's' : 'd'
    const times = what === 'snapshot' ? 'take it' : 'diagnose, with three snapshots like this'
    const priced = (lines: readonly string[]) => {
      this.#asked = { what, which }
      this.#say(...lines, `${key} again to ${times}`)
    }
    this.#run(['snapshot', target, '--dry-run', '--quiet'], 'asking what a snapshot costs', undefined, priced)
  }

  #target(): string {
    return argumentOf(this.#names[this.#picture.selected]!)
  }

  /** Returns whether it could be begun: there is one command at a time. */
  #run(
    args: readonly string[],
    what: string,
    sampling?: 'cpu' | 'heap',
    then: (lines: readonly string[]) => void = (lines) => this.#told(args, lines),
  ): boolean {
    const { selected, subjects } = this.#picture
    if (this.#running) {
      this.#say('one thing after the other: something is being done already')
      return false
    }
    if (subjects[selected]!.ended !== undefined) {
      this.#say('there is nobody left to ask')
      return false
    }
    const label = this.#names.length > 1 ? `${showTarget(this.#names[selected]!)}: ${what}` : what
    const beside = runBeside(args, this.#screen.columns)
    this.#running = { beside, label, startedMs: performance.now() }
    this.#set({ messages: [] })
    void beside.done.then(({ code, stdout, stderr }) => {
      this.#running = undefined
      if (sampling) this.#set({ sampling: undefined })
      // Cut short, a profile is whole.
      if (code === 0 || stdout.length > 0) then(stdout)
      else this.#say(...errorsIn(stderr))
    })
    return true
  }

  /** What a command has printed: a line or two beside the rows, more in their place. */
  #told(args: readonly string[], lines: readonly string[]): void {
    this.#printed.push(...lines)
    if (lines.length <= 2) this.#say(...lines)
    else this.#set({ report: lines, scroll: 0, messages: [`what leakscope ${args.join(' ')} has found`] })
  }
}

const MOST_MESSAGES = 20

/** Without the target's words, and the price that was paid. */
function errorsIn(stderr: readonly string[]): string[] {
  const lines = stderr.filter((line) => line.trim() !== '')
  return lines.length > 0 ? lines.slice(-2).map((line) => line.replace(/^leakscope: |^ +/, '')) : [UNKNOWN.message]
}

const UNKNOWN = new LeakscopeError('cancelled', 'it ended without a word')
