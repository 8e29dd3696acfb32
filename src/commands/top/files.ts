// The files that `top` writes: pprof, folded stacks, a flame graph.

import { basename } from 'node:path'
import { LeakscopeError } from '../../errors.ts'
import { breathing } from '../../support/breathing.ts'
import { packers } from '../../support/compression.ts'
import { createPartialFile, requireWritable } from '../../support/files.ts'
import type { TopOptions, TopView } from './view.ts'

interface Output {
  readonly path: string
  readonly format: 'pprof' | 'folded' | 'flame'
}

/** Which files are asked for; throws before anything is read if one cannot be written. */
export function outputs({ output, flame, force }: TopOptions): Output[] {
  const wanted: Output[] = []
  if (output !== undefined) {
    const format = /\.pb(?:\.gz)?$/.test(output) ? 'pprof' : /\.folded(?:\.gz)?$/.test(output) ? 'folded' : undefined
    if (format === undefined) {
      throw new LeakscopeError('usage-invalid', `-o ${output}: the ending says what is written`, {
        hint: '.pb.gz and .pb are pprof, .folded is folded stacks.',
      })
    }
    wanted.push({ path: output, format })
  }
  if (flame !== undefined) wanted.push({ path: flame, format: 'flame' })
  for (const { path } of wanted) requireWritable(path, force ?? false)
  return wanted
}

/** Writes them, and says which. */
export async function writeOutputs(
  view: TopView,
  wanted: readonly Output[],
  { force }: TopOptions,
  signal: AbortSignal,
): Promise<string[]> {
  for (const { path, format } of wanted) {
    const pieces =
      format === 'pprof' ? await pprof(view, signal) : format === 'folded' ? folded(view) : await flame(view)
    const file = createPartialFile(path, force ?? false, packers(path))
    try {
      for await (const piece of pieces) {
        if (typeof piece === 'string') file.write(piece)
        else file.fill(piece.length, (buffer, at) => at + piece.copy(buffer, at))
      }
      file.commit()
    } finally {
      file.discard()
    }
  }
  return wanted.map(({ path }) => path)
}

async function pprof(view: TopView, signal: AbortSignal): Promise<Buffer[]> {
  const { writePprof } = await import('../../profile/pprof.ts')
  const { current, base } = view.columns()
  const values = base ? current.map((column, i) => column.map((value, node) => value - base[i]![node]!)) : current
  const isolate = isolateOf(view.profile.file)
  const labels = isolate === undefined ? {} : { isolate }
  return [await breathing(writePprof(view.tree, values, { labels }), signal)]
}

async function* folded(view: TopView): AsyncGenerator<string> {
  const { foldedLines } = await import('../../profile/folded.ts')
  const { current, base } = view.columns()
  yield* foldedLines(view.tree, current[view.typeIndex]!, base?.[view.typeIndex])
}

async function flame({ tree, own, base, profile, sampleType }: TopView): Promise<string[]> {
  const { flameGraph, flamePage } = await import('../../profile/flame-graph.ts')
  const compared = base ? `, compared with ${basename(base.profile.file)}` : ''
  const title = `${basename(profile.file)}: ${sampleType.name}${compared}`
  return [flamePage(flameGraph(tree, own.self, { title, unit: sampleType.unit, base: base?.weighed.self }))]
}

/** Whose profile it is, where the file has the name that profiles of several isolates have. */
function isolateOf(file: string): string | undefined {
  const [, thread, id] = /^(main|worker)(?:-(\d+))?(?:-\d+)?\./.exec(basename(file)) ?? []
  return thread === 'worker' && id !== undefined ? `worker:${id}` : thread === 'main' ? 'main' : undefined
}
