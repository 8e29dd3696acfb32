// A runner of GitHub Actions as far as our action and the sample's workflow need one: steps, expressions, files of its own.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll } from 'vitest'
import { parse } from 'yaml'

export interface Step {
  readonly name?: string
  readonly id?: string
  readonly if?: string
  readonly uses?: string
  readonly with?: Readonly<Record<string, string | number>>
  readonly run?: string
  readonly shell?: string
  readonly env?: Readonly<Record<string, string>>
  readonly 'working-directory'?: string
}

export interface Action {
  readonly name: string
  readonly description: string
  readonly inputs: Readonly<
    Record<string, { readonly description: string; readonly default?: string; readonly required?: boolean }>
  >
  readonly outputs: Readonly<Record<string, { readonly description: string; readonly value: string }>>
  readonly runs: { readonly using: string; readonly steps: readonly Step[] }
}

export interface Workflow {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>>
}

export const readYaml = <T>(path: string): T => parse(readFileSync(path, 'utf8'), { strict: true }) as T

/** What is under `uses:`: an action's folder, or what stands in for it here. */
export type Used = string | ((given: Readonly<Record<string, string>>) => void)

export interface Runner {
  readonly workspace: string
  /** `runner.temp`. */
  readonly temp: string
  readonly uses: (name: string) => Used
  readonly env?: NodeJS.ProcessEnv
}

export interface JobResult {
  readonly failed: boolean
  readonly outputs: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** What the steps wrote to either stream. */
  readonly log: string
  /** What they added to the page of the run. */
  readonly summary: string
}

/** Runs the steps of a job, one after the other. */
export async function runSteps(
  steps: readonly Step[],
  runner: Runner,
  scope: { readonly inputs?: Readonly<Record<string, string>>; readonly actionPath?: string } = {},
): Promise<JobResult> {
  const outputs: Record<string, Record<string, string>> = {}
  let [failed, log, summary] = [false, '', '']
  const look = (path: readonly string[]): unknown => {
    const [top, second = '', third, fourth = ''] = path
    if (top === 'inputs') return scope.inputs?.[second] ?? ''
    if (top === 'steps' && third === 'outputs') return outputs[second]?.[fourth] ?? ''
    if (path.join('.') === 'github.action_path') return scope.actionPath
    if (path.join('.') === 'runner.temp') return runner.temp
    throw new Error(`unheard of: ${path.join('.')}`)
  }
  const call = (name: string): boolean => {
    if (name === 'always') return true
    if (name === 'success') return !failed
    if (name === 'failure') return failed
    if (name === 'cancelled') return false
    throw new Error(`unheard of: ${name}()`)
  }
  const fill = (text: string | number): string =>
    `${text}`.replace(/\$\{\{(.*?)\}\}/gs, (_, expression: string) => `${evaluate(expression, look, call)}`)

  for (const step of steps) {
    const condition = step.if?.replace(/^\$\{\{(.*)\}\}$/s, '$1') ?? 'success()'
    // A condition that does not ask for the state of the job is for jobs in good state.
    const asks = /\b(always|success|failure|cancelled)\(\)/.test(condition)
    if ((!asks && failed) || !evaluate(condition, look, call)) continue
    const given = Object.fromEntries(Object.entries(step.with ?? {}).map(([name, value]) => [name, fill(value)]))
    if (step.uses !== undefined) {
      const used = runner.uses(step.uses)
      if (typeof used === 'function') {
        used(given)
        continue
      }
      const action = readYaml<Action>(join(used, 'action.yml'))
      const unknown = Object.keys(given).filter((name) => !(name in action.inputs))
      if (unknown.length > 0) throw new Error(`${step.uses} has no input called ${unknown.join(', ')}`)
      const inputs = Object.fromEntries(
        Object.entries(action.inputs).map(([name, input]) => [name, given[name] ?? input.default ?? '']),
      )
      const inner = await runSteps(action.runs.steps, runner, { inputs, actionPath: used })
      const innerLook = (path: readonly string[]) => inner.outputs[path[1]!]?.[path[3]!] ?? ''
      outputs[step.id ?? ''] = Object.fromEntries(
        Object.entries(action.outputs).map(([name, { value }]) => [
          name,
          value.replace(/\$\{\{(.*?)\}\}/gs, (_, it: string) => `${evaluate(it, innerLook, call)}`),
        ]),
      )
      log += inner.log
      summary += inner.summary
      failed ||= inner.failed
      continue
    }
    if (step.shell !== undefined && step.shell !== 'bash') throw new Error(`a shell we do not have: ${step.shell}`)
    const files = mkdtempSync(join(runner.temp, 'step-'))
    const file = (name: string, text = '') => {
      writeFileSync(join(files, name), text)
      return join(files, name)
    }
    const output = file('output')
    const page = file('summary')
    const code = await runScript(file('script.sh', step.run!), {
      cwd: resolve(runner.workspace, fill(step['working-directory'] ?? '.')),
      env: {
        ...process.env,
        ...runner.env,
        ...{ CI: 'true', GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: runner.workspace, RUNNER_TEMP: runner.temp },
        ...{ GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: page },
        ...Object.fromEntries(Object.entries(step.env ?? {}).map(([name, value]) => [name, fill(value)])),
      },
      onOutput: (text) => {
        log += text
      },
    })
    failed ||= code !== 0
    summary += readFileSync(page, 'utf8')
    const lines = readFileSync(output, 'utf8').split('\n').filter(Boolean)
    outputs[step.id ?? ''] = Object.fromEntries(
      lines.map((line) => {
        const at = line.indexOf('=')
        if (at < 1) throw new Error(`no output: ${line}`)
        return [line.slice(0, at), line.slice(at + 1)]
      }),
    )
  }
  return { failed, outputs, log, summary }
}

const running = new Set<number>()
afterAll(() => {
  for (const pid of running) process.kill(-pid, 'SIGKILL')
})

/** As the runner calls bash where a step names it. */
function runScript(
  script: string,
  { cwd, env, onOutput }: { cwd: string; env: NodeJS.ProcessEnv; onOutput: (text: string) => void },
): Promise<number | null> {
  return new Promise((done, fail) => {
    const args = ['--noprofile', '--norc', '-eo', 'pipefail', script]
    const child = spawn('bash', args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(child.pid!)
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', onOutput)
    child.on('error', fail)
    child.on('close', (code) => {
      running.delete(child.pid!)
      done(code)
    })
  })
}

type Look = (path: readonly string[]) => unknown

/** `||`, `&&`, `==`, `!=`, `!`, calls without arguments, texts and names: there are no brackets in what we write. */
function evaluate(expression: string, look: Look, call: (name: string) => boolean): unknown {
  const text = expression.trim()
  const split = (operator: string) => {
    const at = text.indexOf(operator)
    if (at < 0) return undefined
    const sides = [text.slice(0, at), text.slice(at + operator.length)] as const
    return sides.map((side) => evaluate(side, look, call)) as [unknown, unknown]
  }
  const or = split('||')
  if (or) return or[0] || or[1]
  const and = split('&&')
  if (and) return and[0] && and[1]
  const differs = split('!=')
  if (differs) return differs[0] !== differs[1]
  const equals = split('==')
  if (equals) return equals[0] === equals[1]
  if (text.startsWith('!')) return !evaluate(text.slice(1), look, call)
  const literal = /^'([^']*)'$/.exec(text)
  if (literal) return literal[1]
  const called = /^([a-z]+)\(\)$/i.exec(text)
  if (called) return call(called[1]!)
  if (!/^[a-z_][\w-]*(\.[a-z_][\w-]*)+$/i.test(text)) throw new Error(`no expression that we know: ${text}`)
  return look(text.split('.'))
}

/** A stand-in for actions/upload-artifact: refuses what that refuses. */
export function uploadTo(folder: string, copy: (from: string, to: string) => void) {
  return (given: Readonly<Record<string, string>>): void => {
    if (!given.path || !existsSync(given.path)) throw new Error(`nothing to upload at ${given.path}`)
    mkdirSync(folder, { recursive: true })
    copy(given.path, join(folder, given.name ?? 'artifact'))
  }
}
