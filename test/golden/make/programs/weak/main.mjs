// A heap full of ephemerons: values that live only as long as their key, in every arrangement that has tripped a tool.

import { takeHeap } from '../take-heap.mjs'

class Key {
  constructor(name) {
    this.name = name
  }
}
class Value {
  constructor(name) {
    this.name = name
    this.payload = [name, { of: name }]
  }
}
/** Private fields that transpilers turn into WeakMaps, and native ones, side by side. */
const downlevelled = new WeakMap()
class Account {
  #balance
  #history = []
  constructor(balance) {
    this.#balance = { amount: balance }
    downlevelled.set(this, { secret: `secret ${balance}`, entries: [balance] })
  }
  deposit(amount) {
    this.#balance.amount += amount
    this.#history.push({ amount, after: this.#balance.amount })
  }
}

const held = { keys: [], accounts: [], cases: {} }
globalThis.held = held

function plain() {
  const map = new WeakMap()
  for (let i = 0; i < 200; i++) {
    const key = new Key(`plain ${i}`)
    map.set(key, new Value(`plain ${i}`))
    // Every third key dies at once, and its value with it.
    if (i % 3) held.keys.push(key)
  }
  held.cases.plain = map
}

function valueRefersToKey() {
  const map = new WeakMap()
  for (let i = 0; i < 60; i++) {
    const key = new Key(`back ${i}`)
    map.set(key, { back: key, value: new Value(`back ${i}`) })
    if (i % 2) held.keys.push(key)
  }
  held.cases.valueRefersToKey = map
}

/** The value of one map is the key of the next: only the first key is held. */
function chain() {
  const maps = []
  let key = new Key('chain start')
  held.keys.push(key)
  for (let i = 0; i < 25; i++) {
    const map = new WeakMap()
    const next = new Key(`chain ${i}`)
    map.set(key, next)
    maps.push(map)
    key = next
  }
  held.cases.chain = maps
}

/** The maps die, the keys live: V8 drops the entries. */
function deadMap() {
  const map = new WeakMap()
  for (let i = 0; i < 40; i++) {
    const key = new Key(`orphan ${i}`)
    map.set(key, new Value(`orphan ${i}`))
    held.keys.push(key)
  }
}

/** Values that something else holds as well, so that neither key nor map dominates them. */
function sharedValues() {
  const first = new WeakMap()
  const second = new WeakMap()
  const values = []
  for (let i = 0; i < 50; i++) {
    const key = new Key(`shared ${i}`)
    const value = new Value(`shared ${i}`)
    first.set(key, value)
    second.set(key, value)
    if (i % 2) values.push(value)
    held.keys.push(key)
  }
  held.cases.sharedValues = { first, second, values }
}

/** The map is reachable only through a value of its own, held by a key that is alive. */
function mapInsideItself() {
  const map = new WeakMap()
  const key = new Key('inside')
  map.set(key, { map, value: new Value('inside') })
  held.keys.push(key)
  held.cases.mapInsideItself = { map }
}

/** Keys of unusual kinds: functions, arrays, another WeakMap, a frozen object; names that look like the edge's own. */
function oddKeys() {
  const map = new WeakMap()
  const keys = [function named() {}, [1, 2], map, Object.freeze({ frozen: true }), Promise.resolve(1), /re/, new Map()]
  keys.push({ toString: () => 'value (x @1) pair in WeakMap (table @1)' })
  class Awkward {}
  Object.defineProperty(Awkward, 'name', { value: 'part of key (A @1) -> value (B @2) pair in WeakMap (table @3)' })
  keys.push(new Awkward())
  for (const key of keys) map.set(key, new Value('odd'))
  held.cases.oddKeys = { map, keys }
}

function primitiveValues() {
  const map = new WeakMap()
  for (const value of [1, 2.5, 'text', `cons ${'x'.repeat(30)}`, true, null, undefined, 10n, Symbol('s')]) {
    const key = new Key('primitive')
    map.set(key, value)
    held.keys.push(key)
  }
  held.cases.primitiveValues = map
}

function sets() {
  const set = new WeakSet()
  for (let i = 0; i < 60; i++) {
    const key = new Key(`set ${i}`)
    set.add(key)
    if (i % 2) held.keys.push(key)
  }
  held.cases.set = set
}

function finalization() {
  const registry = new FinalizationRegistry((token) => held.finalized.push(token))
  held.finalized = []
  for (let i = 0; i < 60; i++) {
    const key = new Key(`registered ${i}`)
    registry.register(key, { token: i, value: new Value(`token ${i}`) }, i % 4 ? key : undefined)
    if (i % 2) held.keys.push(key)
  }
  held.cases.registry = registry
  held.cases.refs = held.keys.map((key) => new WeakRef(key))
}

function accounts() {
  for (let i = 0; i < 80; i++) {
    const account = new Account(i)
    account.deposit(i * 2)
    if (i % 2) held.accounts.push(account)
  }
}

/** One big map that has grown and shrunk, so that its table holds holes. */
function churn() {
  const map = new WeakMap()
  const keys = Array.from({ length: 1500 }, (_, i) => new Key(i))
  for (const key of keys) map.set(key, { n: key.name })
  for (const [i, key] of keys.entries()) if (i % 5) map.delete(key)
  held.cases.churn = { map, keys: keys.filter((_, i) => i % 10 === 0 || i % 5) }
}

plain()
valueRefersToKey()
chain()
deadMap()
sharedValues()
mapInsideItself()
oddKeys()
primitiveValues()
sets()
finalization()
accounts()
churn()
setTimeout(async () => {
  await takeHeap('heap.heapsnapshot')
  process.exit()
}, 50)
