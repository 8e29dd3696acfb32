// Runs the tests that start targets against other Node versions: npm run test:matrix [-- 18 24 e2e/diagnose]

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NODE_MAJORS, nodeBinary } from './nodes.mjs'

const root = fileURLToPath(new URL('../../', import.meta.url))

const given = process.argv.slice(2)
const numbers = given.filter((word) => /^\d+$/.test(word)).map(Number)
const majors = numbers.length > 0 ? numbers : NODE_MAJORS
/** Parts of paths: only those tests. */
const wanted = given.filter((word) => !/^\d+$/.test(word))
const unknown = majors.filter((major) => !NODE_MAJORS.includes(major))
if (unknown.length > 0) {
  console.error(`usage: npm run test:matrix [-- major… path…], with majors out of ${NODE_MAJORS.join(', ')}`)
  process.exit(2)
}
const files = endToEndTests()
if (files.length === 0) {
  console.error(
    `there are no end-to-end tests to run${wanted.length > 0 ? ` with ${wanted.join(' or ')} in their path` : ''}`,
  )
  process.exit(1)
}
const rows = []
for (const major of majors) rows.push(await testOn(major))

console.log('\ntarget   passed  failed  skipped  seconds')
for (const { major, passed, failed, skipped, seconds, problem } of rows) {
  const numbers = [
    [passed, 7],
    [failed, 8],
    [skipped, 9],
    [seconds, 9],
  ].map(([value, width]) => String(value).padStart(width))
  console.log(`Node ${String(major).padEnd(2)}${numbers.join('')}${problem ? `  ${problem}` : ''}`)
}
process.exitCode = rows.every((row) => row.problem === '') ? 0 : 1

/** The tests that start a target of their own, on the Node that LEAKSCOPE_TEST_NODE names. */
function endToEndTests() {
  const inFolder = (folder) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true }).map((file) => `${folder}/${file.replaceAll('\\', '/')}`)
      : []
  const candidates = [
    ...inFolder('test/e2e'),
    ...inFolder('test/capture'),
    ...inFolder('test/agent'),
    ...inFolder('test/outside'),
    ...inFolder('test/process'),
    ...inFolder('test/node-internals'),
    'test/commands/profile.test.ts',
    'test/commands/snapshot/snapshot.test.ts',
    'test/commands/snapshot/bundle.test.ts',
    'test/commands/snapshot/outside.test.ts',
  ]
  return candidates
    .filter((file) => file.endsWith('.test.ts') && existsSync(join(root, file)))
    .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
    .sort()
}

async function testOn(major) {
  const started = performance.now()
  const row = { major, passed: 0, failed: 0, skipped: 0, seconds: 0, problem: '' }
  const folder = mkdtempSync(join(tmpdir(), 'leakscope-matrix-'))
  try {
    const node = await nodeBinary(major)
    console.log(`\n== targets on Node ${major}`)
    const report = join(folder, 'report.json')
    const code = await vitest(node, ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`])
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'))
    Object.assign(row, { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests })
    if (code !== 0) row.problem = `vitest ended with ${code}`
    // Tests that all skip themselves would look like success.
    else if (numPassedTests === 0) row.problem = 'no test ran'
  } catch (error) {
    row.problem = error.message
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  row.seconds = Math.round((performance.now() - started) / 1000)
  return row
}

function vitest(node, reporters) {
  const args = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--config',
    'test/vitest.config.ts',
    '--root',
    '.',
    ...reporters,
    ...files,
  ]
  const env = { ...process.env, LEAKSCOPE_TEST_NODE: node }
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' })
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? signal))
  })
}
