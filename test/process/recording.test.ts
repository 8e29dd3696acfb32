// Recordings: begun, gone on with, cut off, and files that are something else.

import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Look, openRecording, readRecording } from '../../src/process/recording.ts'
import { temporaryFolder } from '../support/target.ts'

const look = (rss: number): Look => ({
  schemaVersion: 1,
  at: '2026-01-31T10:00:00.000Z',
  pid: 7,
  nodeVersion: 'v20.0.0',
  values: { rss, cgroup: null },
  limits: { heap: 100 },
})

function record(path: string, ...looks: Look[]): void {
  const recorder = openRecording(path)
  for (const each of looks) recorder.add(each)
  recorder.close()
}

describe('a recording', () => {
  test('is gone on with, and read by nobody else', () => {
    const path = join(temporaryFolder(), 'a.jsonl')
    record(path, look(1), look(2))
    record(path, look(3))
    expect(readRecording(path)).toEqual({ looks: [look(1), look(2), look(3)], skipped: 0 })
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('that was cut off in the middle of a line loses that line only', () => {
    const path = join(temporaryFolder(), 'a.jsonl')
    record(path, look(1))
    appendFileSync(path, JSON.stringify(look(2)).slice(0, 40))
    expect(readRecording(path)).toEqual({ looks: [look(1)], skipped: 1 })
    record(path, look(3))
    expect(readRecording(path)).toEqual({ looks: [look(1), look(3)], skipped: 1 })
  })

  test.each([
    ['some text', 'some text\n'],
    ['other JSON', '{"schemaVersion":1}\n'],
    ['bytes', '\u0000\u0001'],
  ])('is not made of %s, which is left as it was', (_, text) => {
    const path = join(temporaryFolder(), 'a.jsonl')
    writeFileSync(path, text)
    expect(() => openRecording(path)).toThrow('no recording')
    expect(() => readRecording(path)).toThrow('no recording')
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  test('has to be there, and have a folder to be in', () => {
    const folder = temporaryFolder()
    expect(() => readRecording(join(folder, 'a'))).toThrow('there is no')
    expect(() => readRecording(folder)).toThrow('cannot read')
    expect(() => openRecording(join(folder, 'none', 'a'))).toThrow('does not exist')
    expect(() => openRecording(folder)).toThrow('is a folder')
  })
})
