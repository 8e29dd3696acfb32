import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FollowAhead } from '../../src/analysis/follow-ahead.ts'
import { compareSnapshots } from '../../src/analysis/growth.ts'
import { serviceHeap } from '../support/service.ts'
import { temporaryFolder } from '../support/target.ts'

const SOME = [10, 30, 50, 70]

function write(folder: string, counts: readonly number[]): string[] {
  return counts.map((logs, i) => {
    const file = join(folder, `${i}-${logs}.heapsnapshot`)
    writeFileSync(file, serviceHeap({ logs }))
    return file
  })
}

test('snapshots that were read as they came give what reading all of them at the end gives', async () => {
  const files = write(temporaryFolder(), SOME)
  const ahead = new FollowAhead()
  try {
    for (const file of files.slice(0, -1)) ahead.add('main', file)
    const known = await ahead.history('main', files.slice(0, -1))
    expect(known?.series.map(({ totals }) => totals.file)).toEqual(files.slice(0, -1))
    const [at, plain] = [compareSnapshots(files, { followed: Promise.resolve(known) }), compareSnapshots(files)]
    expect(await at).toEqual(await plain)
    expect((await at).clusters).toMatchObject([{ count: 60 }])
  } finally {
    await ahead.close()
  }
})

test('each isolate has a history of its own, and none that was not read as a whole', async () => {
  const folder = temporaryFolder()
  const files = write(folder, SOME)
  const broken = join(folder, 'broken.heapsnapshot')
  writeFileSync(broken, '{"snapshot":')
  const ahead = new FollowAhead()
  try {
    ahead.add('main', files[0]!)
    ahead.add('worker-1', broken)
    ahead.add('main', files[1]!)
    await ahead.settled()
    expect((await ahead.history('main', files.slice(0, 2)))?.series).toHaveLength(2)
    expect(await ahead.history('main', files.slice(0, 3))).toBeUndefined()
    expect(await ahead.history('worker-1', [broken])).toBeUndefined()
    expect(await ahead.history('worker-2', [])).toBeUndefined()
  } finally {
    await ahead.close()
  }
})
