// Reads the snapshots of a series as they come, on a thread of its own: when the last one is there, only that is left to be read.

import { type SecondThread, startSecondThread } from '../support/second-thread.ts'
import { callFollowNext, callHistoryOf, type Followed } from './following.ts'

export class FollowAhead {
  #thread: SecondThread | undefined
  readonly #added = new Map<string, number>()
  #pending: Promise<unknown> = Promise.resolve()

  /** @param file the next snapshot of an isolate, which is not its last */
  add(isolate: string, file: string): void {
    this.#thread ??= startSecondThread()
    const thread = this.#thread
    if (!thread) return
    this.#added.set(isolate, (this.#added.get(isolate) ?? 0) + 1)
    // What goes wrong is met again by who reads the file without this.
    this.#pending = this.#pending
      .then(() => callFollowNext(thread, isolate, file))
      .catch(() => this.#added.delete(isolate))
  }

  /** When all that were added are read. */
  async settled(): Promise<void> {
    await this.#pending
  }

  /**
   * What is known of an isolate's snapshots; undefined where that is not all of these.
   * @param files where those that were added are by now
   */
  async history(isolate: string, files: readonly string[]): Promise<Followed | undefined> {
    await this.#pending
    if (!this.#thread || this.#added.get(isolate) !== files.length) return undefined
    const followed = await callHistoryOf(this.#thread, isolate).catch(() => undefined)
    const series = followed?.series.map((each, i) => ({ ...each, totals: { ...each.totals, file: files[i]! } }))
    return followed && { ...followed, series: series! }
  }

  /** Ends the thread, and with it all that it knows. */
  async close(): Promise<void> {
    await this.#thread?.close()
  }
}
