import { describe, expect, it } from 'vitest'
import { fileIn, nameWithVersion, needs, packageAt, resolvePackage } from '../../src/support/packages.ts'

const files: Record<string, string> = {
  '/app/node_modules/queue/package.json': '{"name":"queue","version":"1.2.3","dependencies":{"inner":"1"}}',
  '/app/node_modules/inner/package.json': '{"name":"inner","version":"1.0.0","peerDependencies":{"deep":"1"}}',
  '/app/node_modules/inner/node_modules/deep/package.json': '{"name":"deep","version":"0.1.0"}',
  '/app/node_modules/alias/package.json': '{"name":"@scope/real","version":"4.0.0"}',
  '/app/node_modules/@scope/broken/package.json': '{"name":',
}
const read = (url: string): string | undefined => files[url.replace(/^file:\/\//, '')]

describe('installed packages', () => {
  it('are known by the URL of a script, with their version', () => {
    const found = packageAt(read, 'file:///app/node_modules/queue/dist/index.js')!
    expect(found).toMatchObject({ name: 'queue', version: '1.2.3', specifier: 'queue' })
    expect(nameWithVersion(found)).toBe('queue@1.2.3')
    expect(fileIn(found, 'file:///app/node_modules/queue/dist/index.js?v=2')).toBe('dist/index.js')
  })

  it('that are installed by another name are told by their own', () => {
    expect(packageAt(read, '/app/node_modules/alias/index.js')).toMatchObject({
      name: '@scope/real',
      specifier: 'alias',
    })
  })

  it('whose package.json cannot be read are told without a version', () => {
    const found = packageAt(read, '/app/node_modules/@scope/broken/index.js')!
    expect(found).toMatchObject({ name: '@scope/broken', version: null })
    expect(nameWithVersion(found)).toBe('@scope/broken')
  })

  it('are not what the program or Node has', () => {
    expect(packageAt(read, '/app/server.mjs')).toBeUndefined()
    expect(packageAt(read, 'node:internal/timers')).toBeUndefined()
  })

  it('are found from a script in the folders above it', () => {
    expect(resolvePackage(read, 'file:///app/src/deep/server.mjs', 'queue')?.version).toBe('1.2.3')
    expect(resolvePackage(read, 'file:///app/src/server.mjs', 'nothing')).toBeUndefined()
  })

  it('need what they depend on, and what that needs', () => {
    const queue = packageAt(read, '/app/node_modules/queue/index.js')!
    expect(needs(read, queue, 'inner')).toBe(true)
    expect(needs(read, queue, 'deep')).toBe(true)
    expect(needs(read, queue, 'alias')).toBe(false)
  })
})
