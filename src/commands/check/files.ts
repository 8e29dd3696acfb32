// `leakscope check` on heap snapshots that were taken before: fails on the leaks in them.

import { baselineWish } from '../common/baseline-file.ts'
import { compareAll } from '../common/comparison.ts'
import type { Context } from '../common/context.ts'
import { comparisonOf } from '../common/inputs.ts'
import { outputsOf, printReport } from '../common/output.ts'
import { emptyReport } from '../common/report.ts'
import type { CheckOptions } from './command.ts'

export async function checkFiles(context: Context, files: readonly string[], options: CheckOptions): Promise<void> {
  const outputs = outputsOf(options)
  const baseline = baselineWish(options, true)
  const comparison = await comparisonOf(files)
  const progress = context.progress(options.quiet ?? false)
  try {
    const compared = await compareAll(comparison, progress, {
      ...{
        sort: 'retained',
        index: false,
        json: outputs.detailed,
        signal: context.signal,
      },
      limit: outputs.detailed ? Number.POSITIVE_INFINITY : options.limit,
    })
    progress.end()
    const { limit, failOn } = options
    await printReport(context, { ...emptyReport('check'), ...compared }, { outputs, limit, failOn, baseline })
  } finally {
    progress.end()
  }
}
