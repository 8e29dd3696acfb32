// A one-line progress bar on a terminal; silence everywhere else.

import { formatDuration } from './format.ts'

/** What long work reports to; every method may be called often and costs little. */
export interface Progress {
  /** Begins a stage: what is being done now, in a few words. */
  stage(label: string): void
  /** How far the stage is: `fraction` from 0 to 1 (undefined when unknown), `detail` such as `12.3 MB`. */
  update(fraction: number | undefined, detail?: string): void
  /** Takes the bar off the screen; nothing is drawn after it. */
  end(): void
}

export const silentProgress: Progress = { stage() {}, update() {}, end() {} }

const BAR_WIDTH = 24
const REDRAW_MS = 100

/** A bar on `stream` if that is a terminal (and `quiet` is off), else {@link silentProgress}. */
export function createProgress(stream: NodeJS.WriteStream, quiet: boolean): Progress {
  if (quiet || !stream.isTTY) return silentProgress
  const started = performance.now()
  let label = ''
  let drawnAt = 0
  let ended = false

  function draw(fraction: number | undefined, detail: string): void {
    if (ended) return
    drawnAt = performance.now()
    const known = fraction === undefined ? undefined : Math.min(1, Math.max(0, fraction))
    const filled = known === undefined ? 0 : Math.round(known * BAR_WIDTH)
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
    const percent = known === undefined ? '   ' : `${Math.floor(known * 100)}`.padStart(3)
    const parts = [bar, `${percent} %`, label, detail, formatDuration(drawnAt - started)].filter((part) => part !== '')
    stream.write(`\r\x1b[2K${parts.join('  ').slice(0, (stream.columns ?? 80) - 1)}`)
  }

  return {
    stage(next) {
      label = next
      draw(undefined, '')
    },
    update(fraction, detail = '') {
      if (performance.now() - drawnAt >= REDRAW_MS) draw(fraction, detail)
    },
    end() {
      if (!ended) stream.write('\r\x1b[2K')
      ended = true
    },
  }
}
