// A program with some of everything that a heap can have. On SIGUSR2 it writes V8's own snapshot to the file that it was
// given, without having made any garbage since it said that it is ready.
const v8 = require('node:v8')

class Session {
  constructor(i) {
    this.id = i
    this.user = { name: `user-${i}`, age: i % 90 }
    this.weight = i + 0.5
  }
}
class Order extends Session {
  constructor(i) {
    super(i)
    this.items = [i, i + 1]
    this.note = `price \u20ac ${i}`
  }
}
function Legacy(i) {
  this.number = i
  this.tags = new Set([i, `tag${i % 13}`])
}
function makeHandler(id, payload) {
  let hits = 0
  return function onRequest() {
    hits += payload.length + id
    return hits
  }
}
const arrow = (captured) => () => captured
const key = Symbol('secret')
const all = { map: new Map(), list: [], closures: [], dictionaries: [], weak: new WeakMap(), other: [] }
for (let i = 0; i < 2000; i++) {
  all.map.set(`key-${i}`, i % 2 ? new Session(i) : new Order(i))
  all.list.push({ index: i, label: `label ${i}`, nested: { deep: { er: i } } })
  if (i % 2 === 0) all.closures.push(makeHandler(i, `payload${i}`), arrow({ i }))
  if (i % 10 === 0) {
    const dictionary = {}
    for (let k = 0; k < 8; k++) dictionary[`p${i * 31 + k}`] = { k }
    delete dictionary[`p${i * 31}`]
    all.dictionaries.push(dictionary)
    const wide = {}
    for (let k = 0; k < 20; k++) wide[`out${k}`] = { k }
    const keyed = {
      [key]: { i },
      7: 'seven',
      get half() {
        return i / 2
      },
    }
    all.weak.set(keyed, { meta: i })
    all.other.push(
      new Legacy(i),
      wide,
      keyed,
      new Date(i),
      /a+/g,
      BigInt(i) ** 20n,
      Symbol(`s${i}`),
      Buffer.alloc(100 + i),
    )
    all.other.push(
      makeHandler.bind(null, i),
      new Promise(() => {}),
      new Proxy({ i }, {}),
      new WeakRef(keyed),
      new Error(`e${i}`),
    )
  }
}
const long = Array.from({ length: 2000 }, (_, i) => `part ${i};`).join('')
all.slices = Array.from({ length: 200 }, (_, i) => long.slice(i, i + 500))
all.rope = all.slices.reduce((rope, slice) => rope + slice)
all.sparse = []
all.sparse[100_000] = { far: true }
function* wait() {
  const kept = { waiting: true }
  yield 1
  return kept
}
all.waiting = wait()
all.waiting.next()
globalThis.all = all

const file = process.argv[2]
process.on('SIGUSR2', () => {
  v8.writeHeapSnapshot(file, { exposeNumericValues: true })
  console.log('written')
})
setInterval(() => {}, 1e6)
// So that the collection that comes with a snapshot has nothing left to do.
if (globalThis.gc) globalThis.gc()
setTimeout(() => console.log('ready'), 100)
