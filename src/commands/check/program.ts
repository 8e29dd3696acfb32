// `leakscope check` on a program: makes it work, measures it, and names the leak when it grows.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { holdsBundle } from '../../capture/bundle-folder.ts'
import { type Driver, loadDriver, timeDriver } from '../../check/driver.ts'
import { explainByEnd, freePort, type Program, startProgram } from '../../check/program.ts'
import { type Measured, measureRounds } from '../../check/rounds.ts'
import { type Scenario, startScenario } from '../../check/scenario.ts'
import { attachedMeter } from '../../check/settle.ts'
import type { ReportCheck } from '../../findings/check.ts'
import type { Report } from '../../findings/report.ts'
import { requireFolderName } from '../../support/folders.ts'
import type { Progress } from '../../support/progress.ts'
import { type Target, withInspector } from '../../target/attach.ts'
import { currentPlatform } from '../../target/platform.ts'
import { requireNodeProcess } from '../../target/refusals.ts'
import { attachWorkers } from '../../target/workers.ts'
import { type BaselineWish, baselineWish, judge } from '../common/baseline-file.ts'
import { noteBeside } from '../common/capturing.ts'
import type { Context } from '../common/context.ts'
import { outputsOf, printReport } from '../common/output.ts'
import { emptyReport } from '../common/report.ts'
import type { CheckOptions } from './command.ts'
import { type CapturedWork, captureWhileWorking, compareCapture, keepCapture } from './diagnosis.ts'
import { checkOf } from './report.ts'

export async function checkProgram(context: Context, command: readonly string[], options: CheckOptions): Promise<void> {
  const outputs = outputsOf(options)
  const baseline = baselineWish(options, true)
  const { output, force = false } = options
  if (output !== undefined) requireFolderName(output, force, holdsBundle)
  const progress = context.progress(options.quiet ?? false)
  const scratch = mkdtempSync(join(tmpdir(), 'leakscope-check-'))
  try {
    const folder = join(scratch, 'capture')
    const { measured, target, unit, captured } = await measure(context, progress, command, options, folder)
    const compared = captured ? await compareCapture(context, progress, folder, options, outputs.detailed) : undefined
    if (captured && output !== undefined) await keepCapture(context, progress, folder, output, options)
    progress.end()
    const report: Report = {
      ...emptyReport('check'),
      ...compared,
      target: { pid: target.pid, nodeVersion: target.nodeVersion, command: target.command.join(' ') },
      via: captured?.via ?? null,
    }
    const check = reportCheck(measured, unit, report, options, baseline, captured?.lostBytes)
    // Whether to fail is told by the measuring, not by what was found afterwards.
    await printReport(context, { ...report, check }, { outputs, limit: options.limit, failOn: 'never', baseline })
    if (check.outcome === 'failed' && options.failOn !== 'never') context.fail()
    if (captured && output !== undefined)
      context.note(`leakscope: the snapshots are in ${output}; leakscope diff ${output}`)
  } finally {
    progress.end()
    rmSync(scratch, { recursive: true, force: true })
  }
}

interface Outcome {
  readonly measured: Measured
  readonly target: Target
  readonly unit: Driver['unit']
  /** Undefined where there are no snapshots in the folder. */
  readonly captured: CapturedWork | undefined
}

async function measure(
  context: Context,
  progress: Progress,
  command: readonly string[],
  options: CheckOptions,
  folder: string,
): Promise<Outcome> {
  const { signal } = context
  let program: Program | undefined
  let scenario: Scenario | undefined
  let driver: Driver | undefined
  try {
    if (command.length > 0) {
      progress.stage('starting the program')
      const { ready, readyTimeout, load, script, programFolder: folder } = options
      const waits = load !== undefined || script !== undefined
      program = await startProgram(command, { ready, waits, readyTimeoutMs: readyTimeout, folder, signal })
      await untilNode(program, readyTimeout, signal)
    }
    const port = program?.port ?? portOfReady(options.ready)
    if (options.script !== undefined) {
      scenario = startScenario(options.script, workEnv(program?.pid ?? options.pid, port))
      progress.stage('setting up the scenario')
      const measuredPid = program?.pid ?? options.pid ?? null
      await scenario.setup({ pid: measuredPid, port: port ?? null }, signal)
    }
    const pid = program?.pid ?? options.pid ?? scenario!.pid
    driver =
      scenario ??
      (options.load === undefined
        ? timeDriver()
        : loadDriver(options.load, {
            env: workEnv(pid, port ?? (await freePort())),
            iterations: options.iterationsPerLoad,
            folder: options.loadFolder,
          }))
    const outcome = await visit(context, progress, pid, driver, options, folder)
    await scenario?.teardown(signal)
    return outcome
  } catch (error) {
    throw await explainByEnd(error, program)
  } finally {
    progress.stage('ending what was started')
    await driver?.close()
    await scenario?.close()
    await program?.stop()
  }
}

async function visit(
  context: Context,
  progress: Progress,
  pid: number,
  driver: Driver,
  options: CheckOptions,
  folder: string,
): Promise<Outcome> {
  const { signal } = context
  progress.stage(`attaching to process ${pid}`)
  const attach = { signal, onNotice: noteBeside(context, progress) }
  return withInspector({ kind: 'process', pid }, attach, async (session, target) => {
    const workers = await attachWorkers(session)
    // Whoever takes snapshots then turns to the workers by itself.
    const measured = await measureRounds(attachedMeter(session, workers, pid), driver, {
      ...{ budget: options.maxGrowth.budget, maxDurationMs: options.maxDuration, signal },
      onStage: (stage) => progress.stage(stage),
    }).finally(() => workers.leave())
    const captured =
      measured.verdict === 'growing'
        ? await captureWhileWorking(context, progress, session, target, driver, measured, options, folder)
        : undefined
    return { measured, target, unit: driver.unit, captured }
  })
}

/** What the load and the scenario find in their environment. */
function workEnv(pid: number | undefined, port: number | undefined): NodeJS.ProcessEnv {
  return {
    ...process.env,
    ...(pid !== undefined && { PID: `${pid}` }),
    ...(port !== undefined && { PORT: `${port}` }),
  }
}

/** For a program that was not started by us. */
function portOfReady(ready: string | undefined): number | undefined {
  return Number(/^(?:https?:\/\/[^/]*:)?(\d{1,5})(?:\/|$)/.exec(ready ?? '')?.[1]) || undefined
}

/** A process that has just begun may still be a shell, or not have come to where it handles signals. */
async function untilNode(program: Program, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const platform = await currentPlatform()
  const until = performance.now() + timeoutMs
  for (;;) {
    try {
      await requireNodeProcess(platform, program.pid)
      return
    } catch (error) {
      if (program.ended() !== undefined || performance.now() > until) throw error
    }
    await sleep(50, undefined, { signal }).catch(() => {})
    signal.throwIfAborted()
  }
}

function reportCheck(
  measured: Measured,
  unit: Driver['unit'],
  report: Report,
  options: CheckOptions,
  baseline: BaselineWish | undefined,
  lostBytes = 0,
): ReportCheck {
  const { maxGrowth, strict = false } = options
  const { verdict } = measured
  const excused = verdict === 'growing' && baseline !== undefined && isKnown(report, baseline, lostBytes)
  const failed = verdict === 'growing' ? !excused : verdict === 'undecided' && strict
  const outcome = failed ? 'failed' : verdict === 'undecided' ? 'undecided' : 'passed'
  return checkOf(measured, {
    unit,
    outcome,
    budget: maxGrowth.text,
    moreTime: '--max-duration allows more, --strict makes this a failure',
  })
}

/** Of what was lost, so much must be explained by findings for them to be its reason. */
const MOSTLY = 0.5

/** Whether what was lost is what the baseline knows of. The heap itself may have grown by more: an array's room grows by leaps. */
function isKnown(report: Report, baseline: BaselineWish, lostBytes: number): boolean {
  const { explained, findings } = report
  if (!explained || findings.length === 0) return false
  if (baseline.update) return true
  return (
    judge(report, baseline).baseline?.new === 0 &&
    explained.bytes >= MOSTLY * Math.min(lostBytes, explained.growthBytes)
  )
}
