// Real processes whose memory rises where no snapshot shows it, and one where it only comes and goes.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Report, ReportSchema } from '../../src/findings/report.ts'
import { runCli, spawnTarget, TARGET_NODE, temporaryFolder } from '../support/target.ts'

async function diagnose(source: string): Promise<{ report: Report; text: string; code: number | null }> {
  const { pid } = await spawnTarget(source, { executable: TARGET_NODE })
  const folder = temporaryFolder()
  const args = ['diagnose', String(pid), '--duration', '6s', '-q', '--no-config', '--fail-on', 'note']
  const { stdout, code } = await runCli([...args, '--format', 'json', '--format', 'markdown=told.md'], { cwd: folder })
  return { report: ReportSchema.parse(JSON.parse(stdout)), text: readFileSync(join(folder, 'told.md'), 'utf8'), code }
}

/** Shared buffers have been able to grow since V8 10.9, of Node 20. */
const canGrow =
  execFileSync(TARGET_NODE, ['-p', '"growable" in SharedArrayBuffer.prototype'], { encoding: 'utf8' }).trim() === 'true'

type Kept = readonly [what: string, source: string, className: string, leastBytes: number, mostBytes: number]

const KEPT: readonly Kept[] = [
  [
    'formatters',
    `const kept = new Map(); let n = 0
     setInterval(() => { for (let i = 0; i < 3; i++) { const f = new Intl.DateTimeFormat('en', { dateStyle: 'full' }); f.format(0); kept.set(n++, f) } }, 20)`,
    ...(['DateTimeFormat', 10e3, 60e3] as const),
  ],
  [
    'growable buffers',
    `const kept = new Map(); let n = 0
     setInterval(() => { for (let i = 0; i < 4; i++) { const b = new SharedArrayBuffer(20000, { maxByteLength: 80000 }); new Uint8Array(b).fill(1); kept.set(n++, b) } }, 20)`,
    ...(['SharedArrayBuffer', 15e3, 30e3] as const),
  ],
]

/** Up to 2.40, glibc keeps each text that was ever put into an environment, and nothing in the heap stands for it. */
function environmentLeaks(): boolean {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  const [major = 0, minor = 0] = (header.glibcVersionRuntime ?? '').split('.').map(Number)
  return major === 2 && minor < 41
}

describe.runIf(process.platform === 'linux')('memory beside the heap', () => {
  test('that native code loses is a finding, though nothing on the heap stands for it', async () => {
    const { report, text, code } = await diagnose(
      `let n = 0; setInterval(() => { for (let i = 0; i < 5; i++) process.env.TOKEN = 'x'.repeat(8000) + n++ }, 20)`,
    )
    const { verdict, bytes, lines } = report.offHeap!
    if (!environmentLeaks()) {
      expect(verdict).toBe('still')
      return
    }
    expect(['rose', 'uneven']).toContain(verdict)
    expect(bytes).toBeGreaterThan(3e6)
    expect(lines['native-heap']).toBeGreaterThan(3e6)
    const finding = report.findings.find(({ evidence }) => evidence.seenBy === 'system')!
    expect(finding).toMatchObject({
      pattern: 'off-heap-growth',
      severity: verdict === 'rose' ? 'warning' : 'note',
      evidence: { addons: [] },
    })
    expect(finding.title).toContain('native memory; no native addon is loaded')
    expect(text).not.toContain('No leak found')
    expect(code).toBe(1)
  })

  test.each(KEPT.filter(([what]) => canGrow || what !== 'growable buffers'))(
    'of %s that are kept is what each of them costs',
    async (_, source, kind, least, most) => {
      const { report } = await diagnose(source)
      const [finding] = report.findings
      expect(finding!.title).toMatch(
        new RegExp(`each ${kind} takes about .* of resident memory \\(\\d+ B in the snapshot\\)`),
      )
      expect(finding!.evidence).toMatchObject({ residentKind: kind })
      expect(finding!.evidence.residentBytesEach).toBeGreaterThan(least)
      expect(finding!.evidence.residentBytesEach).toBeLessThan(most)
      // What the snapshot says stays what it says.
      expect(finding!.growth.retainedBytes / finding!.growth.count).toBeLessThan(1000)
    },
  )

  test('of WebAssembly is called that', async () => {
    const { report } = await diagnose(
      `const jobs = []; setInterval(() => { const memory = new WebAssembly.Memory({ initial: 2 }); new Uint8Array(memory.buffer).fill(1); jobs.push({ memory }) }, 100)`,
    )
    const [finding] = report.findings
    expect(finding).toMatchObject({ pattern: 'off-heap-growth', evidence: { kind: 'WebAssembly.Memory' } })
    expect(finding!.title).toContain('more WebAssembly memories of 131 KB each in jobs')
  })

  test('that comes and goes is none, and it is said how little it rose', async () => {
    const { report, text, code } = await diagnose(
      `const zlib = require('node:zlib'); const body = Buffer.alloc(30000, 'text ')
       setInterval(() => { for (let i = 0; i < 3; i++) { new Intl.NumberFormat('de').format(1); zlib.createDeflate() } zlib.gzip(body, () => {}) }, 30)`,
    )
    expect(report.findings).toEqual([])
    expect(report.offHeap).toMatchObject({ verdict: 'still', reason: null })
    expect(text).toMatch(/Outside of the heap, memory rose by less than \d\S* MB in/)
    expect(code).toBe(0)
  })
})
