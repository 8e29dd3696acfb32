import { describe, expect, it } from 'vitest'
import type { Leaks } from '../../src/detectors/find-leaks.ts'
import { type Drawing, findLeaksIn, MODULE, times } from '../support/drawing.ts'

type Finding = Leaks['findings'][number]

const QUEUE = 'file:///app/node_modules/task-queue/dist/index.js'
const MANIFEST = 'file:///app/node_modules/task-queue/package.json'
/** What V8 says that a function is at, in drawings: line 10, column 5. */
const QUEUE_SOURCE = `export class TaskQueue {
  constructor(options) {
    this.limit = options.maxSize
  }
  async add(job, { signal } = {}) {
    return this.#waitFor(signal)
  }
  #waitFor(signal) {
  return new Promise((resolve, reject) => signal.addEventListener('abort',
    () => reject(signal.reason)))
  }
}
`
const PROGRAM = `import { setMaxListeners } from 'node:events'
import { TaskQueue } from 'task-queue'

const shutdown = new AbortController()
setMaxListeners(0, shutdown.signal)
const jobs = new TaskQueue({ maxSize: 3 })

http.createServer(async (request, response) => {
  response.end(await jobs.add(() => work(request), { signal: shutdown.signal }))
  track(response).catch(() => {})
})
`
const sources = (more: Readonly<Record<string, string>> = {}) => ({
  [MODULE]: PROGRAM,
  [QUEUE]: QUEUE_SOURCE,
  [MANIFEST]: '{"name":"task-queue","version":"2.3.4"}',
  ...more,
})

/** Listeners of a package's on the program's signal: 60 more in each step. */
function listeners(d: Drawing, step: number, url = QUEUE): void {
  const head = d.object('head', 'Object')
  const signal = d.object('signal', 'AbortSignal', {
    '<symbol kEvents>': d.object('events', 'Object', { abort: head }),
  })
  d.variable('shutdown', d.object('controller', 'AbortController', { '#signal': signal }))
  let before = head
  for (let i = 0; i < 60 * (step + 1); i++) {
    const scope = d.context(`scope ${i}`, { job: d.object(`job ${i}`, 'Job', {}, { size: 400 }) })
    const callback = d.closure(`listener ${i}`, '', scope, url)
    const next = d.object(`node ${i}`, 'Listener', { callback, previous: before })
    d.members(before, { next })
    before = next
  }
}

/** An object of the package's class, with its methods where V8 has them. */
function queueObject(d: Drawing, key: string, members: Readonly<Record<string, number>>, methods: readonly string[]) {
  const named = methods.map((name): [string, number] => [name, d.closure(`method ${name}`, name, d.scope, QUEUE)])
  const prototype = d.object('prototype', 'Object', Object.fromEntries(named))
  return d.object(key, 'TaskQueue', { ...members, ['__proto__']: prototype }, { url: QUEUE, line: 1 })
}

describe('listeners that a package adds to what the program handed it', () => {
  const find = async (more = {}): Promise<Finding> =>
    (await findLeaksIn([(d, step) => listeners(d, step)], sources(more)))[0]!

  it('are told by the package, its version, the function, and the program’s call', async () => {
    const finding = await find()
    expect(finding.pattern).toBe('listener-leak')
    expect(finding.package).toEqual({
      ...{ name: 'task-queue', version: '2.3.4', role: 'adds' },
      ...{ file: QUEUE, line: 9, function: 'TaskQueue.#waitFor' },
    })
    expect(finding.culprit).toMatchObject({ url: MODULE, line: 9, package: null })
  })

  it('are given a way out that needs no hand in the package', async () => {
    const { advice } = await find()
    expect(advice).toMatch(/^task-queue@2\.3\.4 adds a listener to shutdown\.signal in TaskQueue\.#waitFor/)
    expect(advice).toContain('a signal of its own')
    expect(advice).not.toMatch(/[Dd]elete from|[Tt]ake out of/)
  })

  it('are told without a version where that cannot be read', async () => {
    const { package: behind, advice } = await find({ [MANIFEST]: '' })
    expect(behind).toMatchObject({ name: 'task-queue', version: null })
    expect(advice).toMatch(/^task-queue adds/)
  })

  it('have the package’s line where the program calls nothing of it', async () => {
    const { culprit } = await find({ [MODULE]: 'run().catch(() => {})\n' })
    expect(culprit).toMatchObject({ url: QUEUE, line: 9, package: 'task-queue', function: 'TaskQueue.#waitFor' })
  })

  it('of the program’s own are nobody’s but the program’s', async () => {
    const [finding] = await findLeaksIn([(d, step) => listeners(d, step, MODULE)], sources())
    expect(finding!.pattern).toBe('listener-leak')
    expect(finding!.package).toBeUndefined()
  })
})

describe('what piles up inside of a package', () => {
  const pile = (d: Drawing, step: number, methods: readonly string[]): void => {
    const things = times(80 * (step + 1), (i) => d.object(`entry ${i}`, 'Entry', {}, { size: 400 }))
    d.variable('jobs', queueObject(d, 'queue', { _done: d.map('done', things) }, methods))
  }
  const find = async (methods: readonly string[]): Promise<Finding> =>
    (await findLeaksIn([(d, step) => pile(d, step, methods)], sources()))[0]!

  it('is told by the class of the package that the program has', async () => {
    const { package: behind } = await find([])
    expect(behind).toMatchObject({ name: 'task-queue', role: 'holds', function: 'TaskQueue', line: 1 })
  })

  it('is ended by the public methods that it has, and bounded by the options that its source reads', async () => {
    const { advice } = await find(['clear', 'add', '_forget', 'removeAll'])
    expect(advice).toContain('Call clear(), removeAll() for what is done with')
    expect(advice).toContain('bound it by its options (maxSize)')
    expect(advice).not.toMatch(/_forget|[Dd]elete from/)
  })
})

describe('timers that a package sets', () => {
  const draw = (d: Drawing, step: number): void => {
    const list = d.object('list', 'TimersList', {}, { url: 'node:internal/timers' })
    const methods = d.object('methods', 'Object', { destroy: d.closure('destroy', 'destroy', d.scope, QUEUE) })
    const each = times(40 * (step + 1), (i) => {
      const client = d.object(`client ${i}`, 'Channel', { ['__proto__']: methods }, { url: QUEUE, size: 300 })
      const scope = d.context(`scope ${i}`, { client })
      const callback = d.closure(`tick ${i}`, '', scope, QUEUE)
      return d.object(`timer ${i}`, 'Timeout', { _onTimeout: callback }, { size: 120, url: 'node:internal/timers' })
    })
    each.forEach((timer, at) => {
      d.members(timer, {
        ...{ _idlePrev: each[at + 1] ?? list, _idleNext: each[at - 1] ?? list },
        ...{ _idleTimeout: d.number(1_800_000), _idleStart: d.number(1000 + at) },
      })
    })
    d.members(list, { _idlePrev: each[0]!, _idleNext: each.at(-1)! })
    d.variable('timerListMap', d.object('lists', 'Object', { 1800000: list }))
    const prototype = d.object('prototype', 'Object', { close: d.closure('close', 'close', d.scope, QUEUE) })
    d.variable('TaskQueue', d.members(d.closure('class', 'TaskQueue', d.scope, QUEUE), { prototype }))
  }
  const source = `import { TaskQueue } from 'task-queue'
http.createServer((request, response) => {
  const client = new TaskQueue(request)
  client.run(response)
})
`

  it('are ended by closing what the program makes each time', async () => {
    const [finding] = await findLeaksIn([draw], sources({ [MODULE]: source }))
    expect(finding).toMatchObject({ pattern: 'unbounded-timers', package: { role: 'adds', name: 'task-queue' } })
    expect(finding!.culprit).toMatchObject({ url: MODULE, line: 3 })
    expect(finding!.advice).toContain('Call close() on each TaskQueue when it is done with')
  })
})

describe('a published leak', () => {
  const P_QUEUE = 'file:///app/node_modules/p-queue/dist/index.js'
  const find = async (manifest: string, function_ = '#throwOnAbort'): Promise<Finding> => {
    const text = QUEUE_SOURCE.replaceAll('#waitFor', function_)
    const found = await findLeaksIn([(d, step) => listeners(d, step, P_QUEUE)], {
      ...sources({ [MODULE]: PROGRAM.replaceAll('task-queue', 'p-queue') }),
      ...{ [P_QUEUE]: text, 'file:///app/node_modules/p-queue/package.json': manifest },
    })
    return found[0]!
  }

  it('is named with its number and the version that fixed it, in front of all advice', async () => {
    const { knownIssue, advice } = await find('{"name":"p-queue","version":"9.0.0"}')
    expect(knownIssue).toMatchObject({ id: 'sindresorhus/p-queue#235', package: 'p-queue', fixedIn: '9.0.1' })
    expect(advice).toMatch(
      /^This is sindresorhus\/p-queue#235 \(.+\), fixed in p-queue 9\.0\.1: upgrade, 9\.0\.0 runs\./,
    )
  })

  it('is not told of a version that does not have it, of one that is not known, or of another look', async () => {
    expect((await find('{"name":"p-queue","version":"9.0.1"}')).knownIssue).toBeUndefined()
    expect((await find('')).knownIssue).toBeUndefined()
    expect((await find('{"name":"p-queue","version":"9.0.0"}', 'other')).knownIssue).toBeUndefined()
  })
})
