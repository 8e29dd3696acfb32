// Which package a native addon came with.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { addonOf } from '../../src/target/native-addons.ts'
import { temporaryFolder } from '../support/target.ts'

function installed(root: string, name: string, version: string): void {
  const folder = join(root, 'srv/node_modules', name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version }))
}

test('an addon is of the package that a program depends on, not of its binary for one platform', () => {
  const root = temporaryFolder()
  installed(root, '@sums/crc', '1.5.1')
  installed(root, '@sums/crc-linux-x64-gnu', '1.5.0')
  installed(root, 'image-linux-arm64', '3.0.0')
  installed(root, 'plain', '0.1.0')
  const of = (file: string) => addonOf(`/srv/node_modules/${file}`, root)
  expect(of('@sums/crc-linux-x64-gnu/crc.linux-x64-gnu.node')).toMatchObject({ package: '@sums/crc', version: '1.5.1' })
  expect(of('image-linux-arm64/image.node')).toMatchObject({ package: 'image-linux-arm64', version: '3.0.0' })
  expect(of('plain/build/Release/plain.node')).toMatchObject({ package: 'plain', version: '0.1.0' })
  expect(of('gone/gone.node')).toMatchObject({ package: 'gone', version: null })
  expect(addonOf('/srv/build/own.node', root)).toEqual({ file: '/srv/build/own.node', package: null, version: null })
})
