import { describe, expect, it } from 'vitest'
import { classAt, findHandover } from '../../src/analysis/handover.ts'
import { Sources } from '../../src/source/app-modules.ts'

const LISTENS = { verbs: /^(on|once|addEventListener)$/ }
const QUEUE = `export class Queue {
  async add(job, { signal } = {}) {
    return this.#wait(signal)
  }
  #wait(signal) {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason)
      }, { once: true })
    })
  }
  size() { return 0 }
}
`

/** Where the first function stands whose text begins so, and what hands it over. */
function handoverOf(source: string, begins: string, name = '', wanted = LISTENS as Parameters<typeof findHandover>[3]) {
  const before = source.slice(0, source.indexOf(begins)).split('\n')
  const at = { url: '/x.js', line: before.length, column: before.at(-1)!.length + 1 }
  const { place, function: inside, callers } = findHandover(new Sources(() => source), at, name, wanted)
  return { line: place.line, text: source.split('\n')[place.line - 1]!.slice(place.column - 1), inside, callers }
}

describe('where a package hands a function over', () => {
  it('is the call that it is written in, in the named function around, with those that lead there', () => {
    const found = handoverOf(QUEUE, '() => {')
    expect(found).toMatchObject({ line: 7, inside: 'Queue.#wait', callers: ['wait', 'add'] })
    expect(found.text).toMatch(/^addEventListener\('abort'/)
  })

  it('is found by the name that the function goes by elsewhere, for the event and for what is listened to', () => {
    const source = `function makeSentinel() {
  function reject(e) { throw e }
  return { reject }
}
function request(stream) {
  const sentinel = makeSentinel()
  request.on('error', sentinel.reject)
  stream.session.on('error', sentinel.reject)
  stream.session.on('close', sentinel.reject)
}
`
    const wanted = { ...LISTENS, event: 'error', receivers: ['conn', 'ClientHttp2Session'] }
    expect(handoverOf(source, '(e) {', 'reject', wanted)).toMatchObject({ line: 8, inside: 'request' })
  })

  it('is beside the function, where others go by the same name', () => {
    const source = `class Pool {
  lease(session) {
    const end = () => { this.drop(session) }
    session.setTimeout(5, end)
  }
  isolate(session) {
    const end = () => { session.destroy() }
    session.on('error', end)
    session.setTimeout(300, end)
  }
}
`
    const wanted = { verbs: /^setTimeout$/ }
    expect(handoverOf(source, '() => { session.destroy', 'end', wanted)).toMatchObject({
      ...{ line: 9, inside: 'Pool.isolate' },
    })
  })

  it('has the names of prototypes, properties and constants', () => {
    const told = (source: string) => handoverOf(source, '() => 1').inside
    expect(told('Job.prototype.finished = async function () {\n  q.on("x", () => 1)\n}')).toBe('Job.finished')
    expect(told('module.exports = { watch: function (q) { q.on("x", () => 1) } }')).toBe('watch')
    expect(told('const watch = async (q) => { q.on("x", () => 1) }')).toBe('watch')
    expect(told('var watch = /* @__PURE__ */ __name(async (q) => { q.on("x", () => 1) }, "watch")')).toBe('watch')
    expect(told('class Pool {\n  constructor(q) { q.on("x", () => 1) }\n}')).toBe('Pool')
    expect(told('exports.Pool = class extends Base {\n  open(q) { q.on("x", () => 1) }\n}')).toBe('Pool.open')
  })

  it('is where the function stands if nothing hands it over, or the source cannot be had', () => {
    expect(handoverOf('class A {\n  tick() { return 1 }\n}', '() {', 'tick')).toMatchObject({
      line: 2,
      inside: 'A.tick',
    })
    const at = { url: '/gone.js', line: 4, column: 2 }
    const found = findHandover(new Sources(() => undefined), at, 'tick', LISTENS)
    expect(found).toEqual({ place: at, function: 'tick', callers: ['tick'] })
  })

  it('a class is told by the name in its source', () => {
    const at = { url: '/x.js', line: 1, column: 8 }
    expect(classAt(new Sources(() => QUEUE), at, 'e').function).toBe('Queue')
  })
})
