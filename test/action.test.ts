// action.yml, and the sample's workflow that uses it, run step by step as a runner of GitHub Actions would.

import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readBundle } from '../src/capture/bundle.ts'
import { checkCommand } from '../src/commands/check/command.ts'
import { createContext } from '../src/commands/common/context.ts'
import { ReportSchema } from '../src/findings/report.ts'
import {
  type Action,
  type JobResult,
  type Runner,
  readYaml,
  runSteps,
  uploadTo,
  type Workflow,
} from './support/actions.ts'
import { sarifErrors } from './support/sarif.ts'
import { runCli, temporaryFolder } from './support/target.ts'
import { parseXml } from './support/xml.ts'

const ROOT = resolve(import.meta.dirname, '..')
const SAMPLE = join(ROOT, 'fixtures', 'ci')
const action = readYaml<Action>(join(ROOT, 'action.yml'))
const script = action.runs.steps[0]!

/** A checkout of the sample, with leakscope installed in it. */
function checkOut(...patches: string[]): string {
  const workspace = temporaryFolder()
  cpSync(SAMPLE, workspace, { recursive: true })
  for (const patch of patches)
    execFileSync('git', ['apply', patch], { cwd: workspace, env: { ...process.env, GIT_DIR: '/' } })
  const modules = join(workspace, 'node_modules')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  symlinkSync(ROOT, join(modules, 'leakscope'))
  symlinkSync(join('..', 'leakscope', 'bin', 'leakscope.js'), join(modules, '.bin', 'leakscope'))
  return workspace
}

interface Run extends JobResult {
  readonly workspace: string
  readonly artifacts: string
  /** What was handed to GitHub's code scanning. */
  readonly scanned: unknown[]
}

async function runWorkflow(workspace: string): Promise<Run> {
  const [temp, artifacts, scanned] = [temporaryFolder(), temporaryFolder(), [] as unknown[]]
  const { jobs } = readYaml<Workflow>(join(workspace, '.github', 'workflows', 'leaks.yml'))
  const runner: Runner = {
    workspace,
    temp,
    env: { NODE_OPTIONS: '', PORT: '' },
    uses(name) {
      if (/^actions\/(checkout|setup-node)@v\d+$/.test(name)) return () => {}
      if (/\/leakscope@/.test(name)) return ROOT
      if (name.startsWith('actions/upload-artifact@'))
        return uploadTo(artifacts, (from, to) => cpSync(from, to, { recursive: true }))
      if (name.startsWith('github/codeql-action/upload-sarif@')) {
        return ({ sarif_file: file }) => void scanned.push(JSON.parse(readFileSync(file!, 'utf8')))
      }
      throw new Error(`nothing stands in for ${name}`)
    },
  }
  return { ...(await runSteps(jobs.leaks!.steps, runner)), workspace, artifacts, scanned }
}

describe('action.yml', () => {
  const options = checkCommand(createContext(new AbortController().signal)).options.map(({ long }) => long)
  /** They are not options of `leakscope check`. */
  const own = ['working-directory', 'command', 'version', 'artifact']

  it('has a description for each input and output, and uses each input', () => {
    const text = JSON.stringify(action.runs)
    for (const [name, { description }] of Object.entries(action.inputs)) {
      expect(description).not.toBe('')
      expect(text, name).toContain(`inputs.${name} `)
    }
    const used = [...text.matchAll(/inputs\.([\w-]+)/g)].map(([, name]) => name)
    expect(used.filter((name) => !(name! in action.inputs))).toEqual([])
    for (const [name, { description, value }] of Object.entries(action.outputs)) {
      expect(description).not.toBe('')
      expect(value).toBe(`\${{ steps.check.outputs.${name} }}`)
    }
  })

  it('hands every input to an option that there is', () => {
    for (const name of Object.keys(action.inputs).filter((it) => !own.includes(it))) {
      expect(options).toContain(`--${name}`)
      if (name === 'strict') continue
      expect(script.env).toHaveProperty(`OPTION_${name.toUpperCase().replaceAll('-', '_')}`, `\${{ inputs.${name} }}`)
      expect(/for option in (.*); do/.exec(script.run!)![1]!.split(' ')).toContain(name)
    }
  })

  it('lets no input be a part of a script', () => {
    for (const { run = '' } of action.runs.steps) expect(run).not.toContain('${{')
  })

  it('calls leakscope with what it was given, word by word', async () => {
    const workspace = checkOut()
    // What npx finds first; it writes down its arguments.
    const log = join(workspace, 'log')
    const stub = join(workspace, 'node_modules', '.bin', 'stub')
    writeFileSync(
      stub,
      `#!/usr/bin/env node\nrequire('fs').writeFileSync(${JSON.stringify(log)}, JSON.stringify(process.argv.slice(2)))\n`,
      { mode: 0o755 },
    )
    execFileSync('ln', ['-sf', 'stub', join(workspace, 'node_modules', '.bin', 'leakscope')])
    const given = {
      ...{
        command: `node 'my server.mjs' "$HOME" --name=x`,
        load: 'curl $PORT; echo "$PID"',
        'max-growth': '1KB/iteration',
      },
      ...{ 'iterations-per-load': 10, 'fail-on': 'never', strict: 'true', config: 'a b.json' },
    }
    const runner: Runner = { workspace, temp: temporaryFolder(), uses: () => ROOT }
    const { failed, log: said } = await runSteps([{ uses: 'x', with: given }], runner)
    expect({ failed, said }).toEqual({ failed: false, said: '' })
    const args = JSON.parse(readFileSync(log, 'utf8')) as string[]
    expect(args.slice(0, 3)).toEqual(['check', '--quiet', '--output'])
    expect(args.slice(10)).toEqual([
      ...['--config', 'a b.json', '--load', 'curl $PORT; echo "$PID"', '--iterations-per-load', '10'],
      ...['--max-growth', '1KB/iteration', '--fail-on', 'never', '--strict'],
      ...['--', 'node', 'my server.mjs', '$HOME', '--name=x'],
    ])
  })

  it('passes on what leakscope has to say against it, and has no reports then', async () => {
    const runner: Runner = { workspace: checkOut(), temp: temporaryFolder(), uses: () => ROOT }
    const { failed, log, outputs } = await runSteps([{ id: 'it', uses: 'x', with: { 'max-growth': 'much' } }], runner)
    expect(log).toContain("--max-growth takes 1KB/iteration, 5% or 2MB, or the like, not 'much'")
    expect(failed).toBe(true)
    expect(outputs.it).toEqual({ sarif: '', junit: '', json: '', snapshots: '' })
  })
})

describe('the workflow of the sample', () => {
  let healthy: Run
  let leaking: Run
  beforeAll(async () => {
    const runs = [checkOut(), checkOut(join(SAMPLE, 'leaking-branch.patch'))].map(runWorkflow)
    ;[healthy, leaking] = (await Promise.all(runs)) as [Run, Run]
  }, 240_000)

  it('passes on the main branch, with nothing to keep', async () => {
    expect(healthy.failed, healthy.log).toBe(false)
    expect(healthy.log).toMatch(/^(Passed|Undecided)/m)
    expect(healthy.log).not.toContain('::error')
    expect(healthy.summary).toContain('## leakscope check')
    expect(readdirSync(healthy.artifacts)).toEqual([])
    expect(healthy.outputs.leaks!.snapshots).toBe('')
    expect(healthy.scanned).toHaveLength(1)
    expect(sarifErrors(healthy.scanned[0])).toEqual([])
    const [suite] = parseXml(readFileSync(healthy.outputs.leaks!.junit!, 'utf8')).children
    expect(suite!.attributes.failures).toBe('0')
  })

  it('fails on the branch that leaks, and says on the page of the run and beside the line what leaks', () => {
    expect(leaking.failed, leaking.log).toBe(true)
    expect(leaking.log).toMatch(/^Failed: memory grows with the work$/m)
    expect(leaking.log).toMatch(/^::error title=leakscope check::Failed/m)
    expect(leaking.log).toMatch(/^::error file=server\.mjs,line=9,col=\d+,title=growing-log-array::/m)
    expect(leaking.summary).toContain('## leakscope check')
    expect(leaking.summary).toContain('server.mjs:9')
  })

  it('has reports of that which are valid, for code scanning and for a list of tests', () => {
    const { sarif, junit, json } = leaking.outputs.leaks!
    expect(leaking.scanned).toEqual([JSON.parse(readFileSync(sarif!, 'utf8'))])
    expect(sarifErrors(leaking.scanned[0])).toEqual([])
    const [run] = (leaking.scanned[0] as { runs: { results: { ruleId: string }[] }[] }).runs
    expect(run!.results[0]!.ruleId).toBe('growing-log-array')
    const [suite] = parseXml(readFileSync(junit!, 'utf8')).children
    expect(Number(suite!.attributes.failures)).toBeGreaterThan(0)
    const { check, findings } = ReportSchema.parse(JSON.parse(readFileSync(json!, 'utf8')))
    expect(check).toMatchObject({ verdict: 'growing', outcome: 'failed' })
    expect(findings[0]!.culprit).toMatchObject({ line: 9 })
  })

  it('keeps the snapshots as an artefact, which leakscope reads', async () => {
    const kept = join(leaking.artifacts, 'leakscope-snapshots')
    expect(readBundle(kept).captures.map(({ file }) => file)).toEqual([1, 2, 3].map((i) => `main-${i}.heapsnapshot.gz`))
    expect(existsSync(join(kept, 'main-1.heapsnapshot.gz'))).toBe(true)
    const { stdout, code } = await runCli(['check', kept, '--no-config'], { cwd: leaking.workspace })
    expect(stdout).toContain('growing-log-array')
    expect(code).toBe(1)
  })
})
