import { describe, expect, it } from 'vitest'
import { findCall, findPackagesCall, modulesWith } from '../../src/detectors/find-call.ts'
import { Sources } from '../../src/source/app-modules.ts'

const APP = 'file:///app/main.mjs'

/** The line of the call in a module, or in several by URL. */
function lineIn(source: string, calls: readonly string[], near: readonly number[] = []): number | undefined {
  const modules = new Sources(() => source).modules([APP])
  return findCall(modules, { calls, near: near.map((line) => ({ url: APP, line, column: 1 })) })?.line
}

describe("a call of a function of Node's", () => {
  it('goes by any name that it was imported under', () => {
    const calls = ['new async_hooks.AsyncLocalStorage']
    expect(lineIn("import { AsyncLocalStorage } from 'node:async_hooks'\nnew AsyncLocalStorage()", calls)).toBe(2)
    expect(lineIn("import { AsyncLocalStorage as Store } from 'async_hooks'\nnew Store()", calls)).toBe(2)
    expect(lineIn("import * as hooks from 'node:async_hooks'\nnew hooks.AsyncLocalStorage()", calls)).toBe(2)
    expect(lineIn("const hooks = require('async_hooks')\n\nnew hooks.AsyncLocalStorage()", calls)).toBe(3)
  })

  it('is no function of the same name of somebody else, and no object that is not made', () => {
    expect(lineIn("import { connect } from 'mqtt'\nconnect()", ['http2.connect'])).toBeUndefined()
    expect(lineIn('const AsyncLocalStorage = () => 1\nAsyncLocalStorage()', ['new AsyncLocalStorage'])).toBeUndefined()
    expect(lineIn("import mongoose from 'mongoose'\nmongoose.connect()", ['http2.connect'])).toBeUndefined()
  })

  it('may be a method of something global', () => {
    expect(lineIn("performance.mark('a')", ['performance.mark'])).toBe(1)
    expect(lineIn("Symbol.for('a')\nMap.for('a')", ['Symbol.for'])).toBe(1)
    expect(lineIn('\n;(0, eval)(code)', ['eval'])).toBe(2)
  })

  it('may be of what was imported under another name, as minifiers do it', () => {
    expect(lineIn('import{performance as n}from"node:perf_hooks";\nn.mark("a")', ['performance.mark'])).toBe(2)
    expect(lineIn("const { performance: n } = require('perf_hooks')\nn.mark('a')", ['performance.mark'])).toBe(2)
  })

  it('in a function, which runs again and again, goes before one at the top of a module', () => {
    const source = "performance.mark('start')\nfunction handle(id) {\n  performance.mark(id)\n}\n"
    expect(lineIn(source, ['performance.mark'])).toBe(3)
  })

  it('near a function that came with the leak goes before others', () => {
    const source = "function a() {\n  performance.mark('a')\n}\nfunction b() {\n  performance.mark('b', () => 1)\n}\n"
    expect(lineIn(source, ['performance.mark'])).toBe(2)
    const modules = new Sources(() => source).modules([APP])
    const near = [{ url: APP, line: 5, column: source.split('\n')[4]!.indexOf('()') + 1 }]
    expect(findCall(modules, { calls: ['performance.mark'], near })?.line).toBe(5)
  })

  it('on the stack of what was allocated goes before others', () => {
    const source = "function a() {\n  performance.mark('a')\n}\nfunction b() {\n  performance.mark('b')\n}\n"
    const modules = new Sources(() => source).modules([APP])
    const frames = [{ function: 'b', url: APP, line: 4, column: 11 }]
    const allocations = [
      { frames: [], bytes: 0, bytesPerStep: [0] },
      { frames, bytes: 4096, bytesPerStep: [4096] },
    ]
    expect(findCall(modules, { calls: ['performance.mark'], near: [], allocations })?.line).toBe(5)
  })

  it('by a name that anything may have is told if there is but one, or it is near', () => {
    expect(lineIn('function a() {\n  controller.enqueue(1)\n}\n', ['*.enqueue'])).toBe(2)
    expect(lineIn('function a() {\n  out.write(1)\n  log.write(2)\n}\n', ['*.write'])).toBeUndefined()
  })
})

describe('a call in a package', () => {
  const file = (name: string) => `file:///app/node_modules/${name}/index.js`
  const find = (sources: Readonly<Record<string, string>>, calls: readonly string[]) => {
    const readSource = (url: string) => sources[url]
    const modules = modulesWith(new Sources(readSource), Object.keys(sources), readSource, { calls })
    return findPackagesCall(modules, { calls, near: [] })?.url
  }
  const MAKES =
    "const { AsyncLocalStorage } = require('async_hooks')\nmodule.exports = () => {\n  return new AsyncLocalStorage()\n}\n"
  const ONCE = "const { AsyncLocalStorage } = require('async_hooks')\nconst one = new AsyncLocalStorage()\n"
  const calls = ['new async_hooks.AsyncLocalStorage']

  it('is told where one package makes it again and again', () => {
    expect(find({ [file('a')]: MAKES, [file('b')]: ONCE }, calls)).toBe(file('a'))
  })

  it('is not guessed among several, nor by a global name', () => {
    expect(find({ [file('a')]: MAKES, [file('b')]: MAKES }, calls)).toBeUndefined()
    expect(find({ [file('a')]: 'module.exports = () => {\n  fetch(1)\n}\n' }, ['fetch'])).toBeUndefined()
  })
})
