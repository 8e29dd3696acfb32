// What counts as alive in a picture: as after a garbage collection, though none has been.

import { expect, test } from 'vitest'
import { openColumns } from '../../src/analysis/open-snapshot.ts'
import { captureFromOutside } from '../../src/outside/open.ts'
import { spawnTarget } from '../support/target.ts'

test.runIf(process.platform === 'linux')(
  'what a FinalizationRegistry is to be told of an object goes with the object',
  async () => {
    const { pid } = await spawnTarget(`
      class Told {}
      const registry = (globalThis.registry = new FinalizationRegistry(() => {}))
      globalThis.kept = []
      for (let i = 0; i < 500; i++) {
        const object = { i }
        registry.register(object, new Told())
        if (i % 2) globalThis.kept.push(object)
      }`)
    const { heaps } = await captureFromOutside(pid, { maxPauseMs: 10_000 })
    const { classRows, close } = await openColumns(heaps[0]!.snapshot)
    await close()
    expect(classRows.find(({ name }) => name === 'Told')?.count).toBe(250)
  },
  60_000,
)
