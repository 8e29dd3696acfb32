// A program that holds a secret in each way that a heap can hold one, and prints what they are: as numbers, so that
// nothing but the thing itself spells them. Started with --password=… and MY_TOKEN in its environment.

const { randomBytes, randomUUID } = require('node:crypto')

const secrets = {}
const keep = []
globalThis.keep = keep

/** Remembers a secret by the way in which it is held; its parts are joined so that no longer string is it. */
function secret(way, ...parts) {
  const text = parts.join('')
  secrets[way] = Array.from({ length: Math.min(text.length, 500) }, (_, i) => text.charCodeAt(i))
  return text
}
let made = 0
/** Something that is in no other secret. */
const unique = () => `${((0x10000 + made++) * 2654435761).toString(36)}q`

// Strings of every kind.
keep.push(secret('string', 's3cr3t-plain-', unique()))
keep.push(
  secret('concatenated, left', 'consleft-', unique(), '-aaaaaaaa') + secret('right', 'consright-', unique(), '-bb'),
)
const parent = ['the parent of a slice ', secret('sliced', 'slicedpass', unique(), 'abcdefghij'), ' and its tail'].join(
  '',
)
keep.push(parent.slice(10, 55))
keep.push(secret('two-byte', 'пароль-', unique(), '-漢字'), secret('Latin-1', 'clé-', unique(), '-é'))
keep.push(secret('astral', unique(), '😀', unique()))
keep.push(secret('escapes', 'say "', unique(), '"\n\t\\ \u0001 end'))
keep.push(secret('cut at 1,024 characters', 'long', unique(), 'x'.repeat(5000)))
const buffer = Buffer.from(secret('buffer', 'buffered-', unique(), '-password'))
keep.push(buffer, secret('buffer in UTF-8', buffer.toString()), secret('buffer in base64', buffer.toString('base64')))
keep.push(secret('buffer in hex', buffer.toString('hex')))
keep.push(new String(secret('wrapper', 'wrapped-', unique(), '-s')))

// Keys that are data.
const sessions = {}
for (let i = 0; i < 5; i++) sessions[secret(`session ${i}`, randomBytes(16).toString('hex'))] = { user: i }
const small = {
  [secret('e-mail address as key', 'alice.', unique(), '@example.com')]: 1,
  [secret('id as key', 'cus_NffrFeUfNV2Hib', unique())]: 2,
  [secret('UUID as key', randomUUID())]: 3,
}
const letter = (i) => 'abcdefghij'[i]
const users = {}
const bare = Object.create(null)
for (let i = 0; i < 100; i++) {
  const name = letter(Math.floor(i / 10)) + letter(i % 10)
  users[i === 7 ? secret('key of a dictionary', 'zaphod', 'beeblebrox') : `user${name}`] = { i }
  bare[i === 7 ? secret('key of a bare dictionary', 'trillian', 'mcmillan') : `guest${name}`] = i
}
const cache = () => {}
cache[secret('key on a function', randomBytes(20).toString('base64url'))] = 1
keep.push(sessions, small, users, bare, cache)
keep.push(new Map([[secret('key of a Map', 'mapkey-', unique(), '-token'), { x: 1 }]]))
keep.push(new Set([secret('member of a Set', 'setkey-', unique(), '-token')]))
keep.push(new WeakMap([[small, secret('value of a WeakMap', 'weakvalue-', unique(), '-token')]]))
keep.push(new WeakMap([[users, secret('value of a WeakMap, awkward', 'a @1) -> value (b ', unique(), ' @2)')]]))
const symbol = Symbol(secret('symbol', 'symbol-', unique(), '-9f8e7d6c'))
const shared = Symbol.for(secret('registered symbol', 'session:', unique(), ':user'))
keep.push(symbol, { [symbol]: 1, [shared]: 2 })
keep.push(
  JSON.parse(`{"${secret('key in JSON', 'jk', unique(), 'z')}":"${secret('value in JSON', 'jv', unique(), 'y')}"}`),
)
keep.push({ [Symbol.toStringTag]: secret('Symbol.toStringTag', 'tag', unique(), 'ged') })

// Places in a program.
class Account {
  #pin = secret('private field', 'private-', unique(), '-field')
  constructor() {
    this.password = secret('field', 'field-', unique(), '-password')
    this.pin = () => this.#pin
  }
}
const closure = (value) => () => value
const API_KEY = 'sk_live_moduleconstant4242x'
secret('constant of a module', 'sk_live_', 'moduleconstant', '4242x')
keep.push(new Account(), closure(secret('closure', 'closure-', unique(), '-value')), () => API_KEY)
keep.push(closure.bind(null, secret('bound argument', 'bound-', unique(), '-arg')))
keep.push(Promise.resolve(secret('promise', 'promise-', unique(), '-v')))
keep.push(new Error(secret('error', 'error-', unique(), '-message')))
setTimeout(() => {}, 1e8, secret('argument of a timer', 'timer-', unique(), '-arg'))
keep.push(process.env.MY_TOKEN, { ...process.env }, process.argv.slice())
secret('environment', 'env-token-', '7h1515')
secret('command line', '--password=argv', '-pa55word')
const password = secret('password in a URL', 'urlpw', unique())
keep.push(new URL(`https://user:${password}@example.com/?token=${secret('token in a URL', 'tok', unique(), 'zz')}`))
keep.push(new Headers({ authorization: `Bearer ${secret('header', 'bear', unique(), 'er')}` }))

// Sources and numbers.
keep.push(new RegExp(secret('regular expression', 'regexp', unique(), 'secret'), 'g'))
keep.push(new Function(`return '${secret('source of a function', 'newfn', unique(), 'source')}'`))
// biome-ignore lint/security/noGlobalEval: a source that V8 keeps, as any other
keep.push(eval(`(function evaluated() { return '${secret('source of eval', 'eval', unique(), 'source')}' })`))
keep.push(BigInt(secret('BigInt', '98765432109876', '54321')))
keep.push({
  card: Number(secret('number', '41111111', '11111111')),
  ssn: Number(secret('nine digits', '9876', '54321')),
})
globalThis.sizes = { buffered: 98_304, counter: 12_345_678, interval: 604_800_000, fraction: 0.5 }

const url = `data:text/javascript,export const f = () => '${secret('data: URL', 'data', unique(), 'url')}'`
import(url).then((module) => {
  keep.push(module)
  console.log(JSON.stringify(secrets))
})
