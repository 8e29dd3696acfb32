// Fills the heap with what services hold: users, sessions, caches, listeners, closures, weak maps, promises, buffers.

import { EventEmitter } from 'node:events'

// The same heap in every run: a linear congruential generator (Numerical Recipes) instead of Math.random.
let seed = 1
const random = (below) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return seed % below
}

class User {
  constructor(i) {
    this.id = i
    this.name = `user ${i}`
    this.mail = `u${i}@example.org`
    this.score = i * 1.5
    this.tags = [`team ${i % 17}`, `role ${i % 5}`]
    this.settings = { theme: i % 2 ? 'dark' : 'light', language: 'en', page: { size: i % 50, sort: null } }
  }
}
class Session {
  constructor(user, previous) {
    this.user = user
    this.previous = previous
    this.events = Array.from({ length: random(6) }, (_, t) => ({ t, kind: 'click', x: random(1000) / 3, target: user }))
    this.cart = new Map([[`sku ${random(999)}`, { count: random(9), price: random(1000) / 7 }]])
    this.onClose = () => {
      this.user = undefined
      return user
    }
  }
}

/** Users by the thousand, and half as many sessions; all of it stays reachable from the global object. */
export function fillService(thousands) {
  const service = {
    users: [],
    sessions: new Map(),
    recent: undefined,
    cache: new Map(),
    notes: [],
    jobs: [],
    weak: new WeakMap(),
  }
  const bus = new EventEmitter()
  bus.setMaxListeners(0)
  let previous
  for (let i = 0; i < thousands * 1000; i++) {
    const user = new User(i)
    service.users.push(user)
    if (i % 2 === 0) {
      const session = new Session(user, previous)
      previous = i % 500 === 0 ? undefined : session
      service.sessions.set(`session ${i}`, session)
    }
    if (i % 3 === 0) {
      const entry = { value: { rows: [i, i + 1, user], next: service.recent }, older: service.recent }
      service.recent = i % 1000 === 0 ? undefined : entry
      service.cache.set(`key/${i}`, entry)
    }
    if (i % 4 === 0) service.weak.set(user, { seen: i, back: [user] })
    if (i % 5 === 0) bus.on(`topic ${i % 50}`, () => user.name)
    if (i % 6 === 0) service.notes.push(`note ${i} of ${user.name}: ${'lorem ipsum '.repeat(random(8))}`.slice(0, -1))
    if (i % 11 === 0) service.notes.push(new Set([user, i, `k${i}`]))
    if (i % 29 === 0) service.jobs.push(new Promise((resolve) => service.jobs.push(resolve)).then(() => user))
    if (i % 97 === 0) service.jobs.push(Buffer.alloc(256 + random(4096)))
  }
  globalThis.service = service
  globalThis.bus = bus
}
