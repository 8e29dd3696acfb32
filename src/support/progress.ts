// A one-line progress bar on a terminal; silence everywhere else.

import { formatDuration } from './format.ts'

/** What long work reports to; every method may be called often and costs little. */
export interface Progress {
  /** Begins a stage: what is being done now, in a few words. */
  stage(label: string): void
  /** How far the stage is: `fraction` from 0 to 1 (undefined when unknown), `detail` such as `12.3 MB`. */
  update(fraction: number | undefined, detail?: string): void
  /** Takes the bar off the screen until there is something new, to make room for a message. */
  clear(): void
  /** Takes the bar off the screen for good. */
  end(): void
}

export const silentProgress: Progress = { stage() {}, update() {}, clear() {}, end() {} }

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
    const parts = [barOf(fraction), label, detail, formatDuration(drawnAt - started)].filter((part) => part !== '')
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
    clear() {
      if (!ended) stream.write('\r\x1b[2K')
    },
    end() {
      if (!ended) stream.write('\r\x1b[2K')
      ended = true
    },
  }
}

/** An empty text when nobody knows how far it is. */
function barOf(fraction: number | undefined): string {
  if (fraction === undefined) return ''
  const known = Math.min(1, Math.max(0, fraction))
  const filled = Math.round(known * BAR_WIDTH)
  return `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}  ${`${Math.floor(known * 100)}`.padStart(3)} %`
}
