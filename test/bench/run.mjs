// `npm run bench`: how fast and how lean leakscope's heap engine is beside others, and how that grows with the heap.
//
//   npm run bench                   28, 100 and 400 MB, a comparison, start-up; about a minute once the heaps are made
//   npm run bench -- --rivals       beside Chrome DevTools' engine, memlab and VS Code's parser (installs them here)
//   npm run bench -- --large        1.4 GB as well (making it takes some 8 GB of memory, the rivals as much)
//   npm run bench -- --profiles     what profiles cost a busy server, and nothing else; about five minutes
//   npm run bench -- --watching     what a process pays for being watched, and nothing else; about six minutes
//   npm run bench -- --flakes       how often `leakscope check` is wrong, and nothing else; 200 checks of healthy and 200
//                                   of leaking programs, two to three hours; --checks N makes fewer of each
//   npm run bench -- --outside      V8's snapshot and reading from outside side by side, and nothing else; a few minutes;
//                                   --users N (thousands; 500) makes the heap larger or smaller
//   npm run bench -- --huge         5 GB as well, by leakscope alone (takes 6 GB of disk)
//
//   --rounds N      runs of each (3)
//   --sizes A,B     instead of 28,100,400; 1400 is there, too
//   --file X        opens that snapshot and does nothing else
//   --limit GB      memory that leakscope may take for the 5 GB (4); it is stopped at more
//   --json FILE     all results, with each single run
//
// Each run is a process of its own, in turn. Heaps are kept in $XDG_CACHE_HOME/leakscope-bench, or below the folder for
// temporary files. The exit code is 1 if leakscope failed at something or engines disagree.

import { existsSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { agreementOf } from './agreement.mjs'
import { comparers, openers } from './contestants/list.mjs'
import { detectorCost } from './detectors.mjs'
import { flakeStudy, flakesTable, wrongText } from './flakes.mjs'
import { growthOf } from './growth.mjs'
import { hugeHeap, pairOfHeaps, SIZES, serviceHeap, sizeOf } from './heaps.mjs'
import { measure } from './measure.mjs'
import { outsideCosts, outsideTable } from './outside.mjs'
import { enginesTable, growthTable, sizeText, startUpTable } from './print.mjs'
import { profileCosts, profilesTable } from './profiles.mjs'
import { installRivals } from './rivals.mjs'
import { startUp } from './start-up.mjs'
import { verdictRates, verdictsTable } from './verdicts.mjs'
import { watchingCosts, watchingTable } from './watching.mjs'

const { values } = parseArgs({
  options: {
    rivals: { type: 'boolean', default: false },
    large: { type: 'boolean', default: false },
    huge: { type: 'boolean', default: false },
    profiles: { type: 'boolean', default: false },
    watching: { type: 'boolean', default: false },
    flakes: { type: 'boolean', default: false },
    outside: { type: 'boolean', default: false },
    users: { type: 'string', default: '500' },
    checks: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '3' },
    sizes: { type: 'string', default: '28,100,400' },
    file: { type: 'string' },
    limit: { type: 'string', default: '4' },
    json: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
if (!(rounds >= 1)) refuse(`--rounds is a number from 1 on, not ${values.rounds}`)
const checks = Number(values.checks)
if (!(checks >= 1)) refuse(`--checks is a number from 1 on, not ${values.checks}`)
const limitBytes = Number(values.limit) * 1e9
if (!(limitBytes > 0)) refuse(`--limit is a number of gigabytes, not ${values.limit}`)
const sizes = values.sizes
  .split(',')
  .map(Number)
  .concat(values.large ? [1400] : [])
if (!sizes.every((size) => SIZES.includes(size))) refuse(`--sizes are some of ${SIZES}, not ${values.sizes}`)
if (values.file && !existsSync(values.file)) refuse(`there is no ${values.file}`)
if (values.rivals) installRivals()

const results = { node: process.version, cpu: cpus()[0].model, cpus: cpus().length, rounds }
let failed = false
const check = (fine) => {
  failed ||= !fine
  return fine
}

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0].model}, load ${loadavg()[0].toFixed(1)}`)
console.log(`${rounds === 1 ? 'One round' : `Medians of ${rounds} rounds`}; ratios are taken within a round\n`)
if (values.profiles) await benchProfiles()
else if (values.watching) await benchWatching()
else if (values.flakes) await benchFlakes()
else if (values.outside) await benchOutside()
else await benchEngine()

if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)
process.exitCode = failed ? 1 : 0

async function benchProfiles() {
  console.log('PROFILES: how many requests fewer a server that has no time to spare answers while it is sampled\n')
  results.profiles = await profileCosts([20, 24], rounds)
  console.log(profilesTable(results.profiles))
  check(results.profiles.every(({ fine }) => fine))
}

async function benchWatching() {
  console.log('WATCHING: processor time that a process pays for one look a second, beside a twin that nobody watches\n')
  results.watching = await watchingCosts([20, 24], 60)
  console.log(watchingTable(results.watching))
  check(results.watching.every(({ fine }) => fine))
}

async function benchOutside() {
  console.log("OUTSIDE: the heap of a process that is always at work, by V8's own snapshot and from outside\n")
  results.outside = await outsideCosts([20, 26], Number(values.users))
  console.log(outsideTable(results.outside))
  check(results.outside.every(({ fine }) => fine !== false))
}

async function benchFlakes() {
  console.log(`FLAKES: ${checks} checks of healthy programs, and of leaking ones; every other core is kept busy\n`)
  results.flakes = await flakeStudy(checks, ({ sort, program, seed, verdict, seconds }) => {
    if (process.stderr.isTTY) console.error(`  ${seed} ${sort} ${program}: ${verdict}, ${seconds.toFixed(1)} s`)
  })
  console.log(flakesTable(results.flakes.rows))
  for (const each of results.flakes.wrong) console.log(wrongText(each))
  check(results.flakes.fine)
}

async function benchEngine() {
  console.log(
    'OPENING: reading, dominators, retained sizes and class table (JSON.parse only parses, memlab has no classes)\n',
  )
  const files = values.file
    ? [values.file]
    : await inOrder(
        sizes.toSorted((a, b) => a - b),
        serviceHeap,
      )
  results.opening = await inOrder(files, open)
  if (results.opening.length > 1) {
    results.growth = growthOf(results.opening)
    console.log('HOW THAT GROWS with the heap: slope of the least squares line through the medians\n')
    console.log(`${growthTable(results.growth)}\n`)
  }
  if (!values.file) {
    results.comparing = await compare(await pairOfHeaps())
    const { readMs, detectMs, share } = detectorCost((await pairOfHeaps()).slice(0, 2), rounds)
    results.detectors = { readMs, detectMs, share }
    console.log(
      `DETECTORS: all together ${Math.round(detectMs)} ms beside ${Math.round(readMs)} ms for reading the pair: ${Math.round(100 * share)} %\n`,
    )
    check(share < 0.25)
    console.log('START-UP: whole processes; analyze reads the smallest heap\n')
    results.startUp = startUp(await serviceHeap(28), 15)
    console.log(`${startUpTable(results.startUp)}\n`)
    console.log('VERDICTS on series that are made up: leaks of 0.5 to 50 MB/h, over three times the noise, and none\n')
    results.verdicts = verdictRates(100)
    console.log(`${verdictsTable(results.verdicts)}\n`)
    check(results.verdicts.at(-1).blamed <= 0.01 && results.verdicts.at(-1).missed <= 0.05)
  }
  if (values.huge) results.huge = await openHuge(await hugeHeap())
}

async function open(file) {
  const size = sizeOf(file)
  const engines = await measure(openers(values.rivals), [file], { rounds })
  check(!engines[0].error)
  console.log(`${sizeText(size)}\n`)
  console.log(enginesTable(engines))
  const { agree, nodes, bytes } = agreementOf(engines)
  if (!check(agree))
    console.log(`  They DISAGREE on what is in it: nodes ${nodes.join(', ')}; bytes ${bytes.join(', ')}`)
  console.log()
  return { ...size, engines }
}

async function compare([before, after, final]) {
  const pair = [before, after].map(sizeOf)
  console.log('COMPARING two snapshots of one process, 20,000 objects leaked into a Map between them\n')
  const engines = await measure(comparers(values.rivals), [before, after, final], { rounds })
  check(!engines[0].error)
  console.log(`${pair.map(sizeText).join('; ')}\n`)
  console.log(`${enginesTable(engines)}\n`)
  return { pair, engines }
}

async function openHuge(file) {
  const size = sizeOf(file)
  console.log(`HUGE: ${sizeText(size)}; leakscope alone, one run, stopped beyond ${values.limit} GB\n`)
  const engines = await measure(openers(false).slice(0, 1), [file], { rounds: 1, limitBytes })
  check(!engines[0].error)
  console.log(enginesTable(engines))
  return { ...size, limitBytes, engines }
}

/** Maps one after the other. */
async function inOrder(items, work) {
  const done = []
  for (const item of items) done.push(await work(item))
  return done
}

function refuse(why) {
  console.error(why)
  process.exit(2)
}
