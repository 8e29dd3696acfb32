// A heap like that of a service: many shapes, collections, strings of all kinds, closures, buffers, promises, timers.

import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import { takeHeap } from '../take-heap.mjs'
import { defineDiscount, Invoice, Order as BillingOrder } from './billing.mjs'
import { carriers, Order as ShippingOrder } from './shipping.mjs'

const shop = {
  orders: new Map(),
  parcels: [],
  invoices: new Set(),
  discounts: [],
  carriers: [],
  handlers: [],
  strings: [],
  shapes: [],
  dictionary: {},
  buffers: [],
  promises: [],
  timers: [],
  weakly: [],
  oddities: {},
}
globalThis.shop = shop

function orders() {
  for (let i = 0; i < 300; i++) {
    const lines = [{ sku: `sku-${i % 40}`, price: i * 0.99, quantity: 1 + (i % 3) }]
    const order = i % 4 === 0 ? new Invoice(i, lines, { name: `customer ${i}`, vip: i % 8 === 0 }) : new BillingOrder(i, lines)
    const parcel = new ShippingOrder(i, { street: `Street ${i}`, city: i % 2 ? 'Köln' : 'Łódź', zip: 10_000 + i })
    for (let p = 0; p < i % 3; p++) parcel.addParcel(p + 0.5)
    if (order instanceof Invoice) shop.invoices.add(order)
    shop.orders.set(i % 5 === 0 ? `order:${i}` : i, order)
    shop.parcels.push(parcel)
  }
  for (const percent of [5, 10, 20]) {
    const Discount = defineDiscount(percent)
    for (let i = 0; i < 20; i++) shop.discounts.push(new Discount(shop.orders.get(i + 1)))
  }
  for (const Carrier of carriers()) for (let i = 0; i < 10; i++) shop.carriers.push(new Carrier(`carrier ${i}`))
}

function closures() {
  const emitter = new EventEmitter()
  emitter.setMaxListeners(0)
  for (let i = 0; i < 120; i++) {
    const captured = { i, name: `handler ${i}` }
    const unused = new Array(4).fill(i)
    const handler = function onOrder(order) {
      return captured.i + order.number
    }
    // Shares its context with onOrder, and so keeps `unused` alive for it too.
    const sibling = () => unused.length
    emitter.on(`order-${i % 10}`, handler)
    shop.handlers.push(handler, sibling, handler.bind(null, i))
  }
  shop.emitter = emitter
  shop.generator = (function* counting() {
    for (let i = 0; ; i++) yield { i }
  })()
  shop.generator.next()
}

function strings() {
  const page = 'The quick brown fox jumps over the lazy dog. '.repeat(60)
  const wide = 'żółw 龜 🐢 '.repeat(40)
  for (let i = 0; i < 80; i++) {
    shop.strings.push(
      page + i + wide, // cons
      page.slice(i, i + 40), // sliced
      wide.slice(i, i + 30), // sliced, two bytes a character, may cut an emoji in two
      `${i} ${'🐢'.repeat(i % 7)}`,
      JSON.parse(`"line\\n${i}\\t\\"quoted\\" \\u00fc \\u2028 \\ud83d"`), // control characters and a lone surrogate
      String.fromCharCode(i),
    )
  }
  const flattened = `${page}${wide}flat`
  flattened.charCodeAt(9) // a cons that was flattened: a thin wrapper around the flat one
  shop.strings.push(flattened, 'x'.repeat(5000), '', 'constructor', '__proto__', '%s \\ " / <b>&amp;</b>')
}

function shapes() {
  for (let i = 0; i < 150; i++) {
    const object = {}
    for (let p = 0; p < i % 12; p++) object[`field${(i * 7 + p) % 30}`] = p % 3 ? p : { p }
    if (i % 10 === 0) delete object.field0
    if (i % 25 === 0) Object.freeze(object)
    shop.shapes.push(object)
  }
  for (let i = 0; i < 700; i++) shop.dictionary[`key ${i}`] = i % 2 ? i : [i]
  const holes = [1, , 3, , 'five'] // a heap shows holes in its own way
  holes[400] = { far: true }
  const sparse = []
  sparse[1_000_000] = 'dictionary elements'
  shop.oddities = {
    holes,
    sparse,
    doubles: [1.5, Number.NaN, -0, Infinity, 1e300],
    nested: Array.from({ length: 12 }, (_, i) => Array.from({ length: i }, (_, j) => [i, j])),
    bigints: [0n, 1n, -(2n ** 64n), 2n ** 300n],
    patterns: [/orders?\/(?<id>\d+)/giu, /ż+/, new RegExp('x'.repeat(50))],
    symbols: [Symbol('local'), Symbol.for('shared'), Symbol(), Symbol.iterator],
    [Symbol('key')]: 'under a symbol',
    get computed() {
      return this.holes.length
    },
    set computed(value) {
      this.holes.length = value
    },
    withoutPrototype: Object.assign(Object.create(null), { a: 1, b: { c: 2 } }),
    inherited: Object.create({ onPrototype: [1, 2, 3] }, { hidden: { value: { deep: true }, enumerable: false } }),
    proxy: new Proxy({ target: true }, { get: (target, key) => target[key] }),
    error: new RangeError('kept with its stack', { cause: new Error('and its cause') }),
    date: new Date(0),
    boxed: [new Number(1), new String('boxed'), new Boolean(false), Object(Symbol('boxed'))],
    args: (function collect() {
      return arguments // an arguments object is a kind of its own
    })(1, { two: 2 }, 'three'),
    self: null,
  }
  shop.oddities.self = shop.oddities
}

function memory() {
  for (let i = 0; i < 30; i++) shop.buffers.push(Buffer.from(`small ${i}`), Buffer.alloc(9000 + i))
  const shared = new ArrayBuffer(4096)
  shop.buffers.push(new Uint8Array(shared, 8, 64), new DataView(shared), new Float64Array(16), new BigInt64Array(2))
  shop.buffers.push(new SharedArrayBuffer(1024), new Blob(['blob']), new TextEncoder().encode('żółw'))
}

function later() {
  for (let i = 0; i < 40; i++) {
    const context = { i, reason: 'waiting' }
    const promise = new Promise((resolve) => shop.handlers.push(resolve))
    shop.promises.push(promise.then(() => context), Promise.resolve(context))
    shop.promises.push((async function waitForOrder() {
      await promise
      return context
    })())
    shop.timers.push(setTimeout(function expire() {
      context.i++
    }, 3_600_000 + (i % 4)))
  }
  shop.timers.push(setInterval(() => shop.orders.size, 3_600_000))
  const stream = new PassThrough({ highWaterMark: 64 })
  for (let i = 0; i < 20; i++) stream.write(Buffer.alloc(100, i))
  shop.stream = stream
  shop.abort = new AbortController()
  shop.abort.signal.addEventListener('abort', () => shop.stream.destroy())
}

function weakly() {
  for (const order of shop.orders.values()) shop.weakly.push(new WeakRef(order))
  shop.weakly.push(new WeakRef({ nobody: 'else holds this' }), new WeakSet(shop.parcels))
}

orders()
closures()
strings()
shapes()
memory()
later()
weakly()
// A WeakRef keeps its target for the rest of the turn that made it; only the next turn shows what is really held.
setTimeout(async () => {
  await takeHeap('heap.heapsnapshot')
  process.exit()
}, 50)
