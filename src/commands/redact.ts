// `leakscope redact`: a copy of a snapshot file without the program's data.

import { Command } from 'commander'
import { formatBytes, formatCount } from '../support/format.ts'
import type { Context } from './common/context.ts'
import { redactionHelp, redactionKey } from './common/redaction-key.ts'

interface Options {
  readonly keyFile?: string
  readonly force?: true
  readonly quiet?: true
}

export function redactCommand(context: Context): Command {
  return new Command('redact')
    .argument('<snapshot>', 'a .heapsnapshot file; may be compressed (.gz, .zst)')
    .argument('<output>', 'where to write it; compressed if the name ends in .gz or .zst')
    .option('--key-file <file>', 'the key of the tokens (default: a new key, which is then forgotten)')
    .option('--force', 'replace the output file if it exists')
    .option('-q, --quiet', 'show no progress')
    .addHelpText('after', redactionHelp('--key-file'))
    .action((input: string, output: string, options: Options) => run(context, input, output, options))
}

async function run(context: Context, input: string, output: string, options: Options): Promise<void> {
  const key = redactionKey(options.keyFile)
  const { redactFile } = await import('../snapshot/redaction/redact-file.ts')
  const progress = context.progress(options.quiet ?? false)
  try {
    progress.stage('redacting')
    const { fileBytes, strings, redacted } = await redactFile(input, output, {
      key,
      force: options.force ?? false,
      onProgress: (fraction) => progress.update(fraction),
      signal: context.signal,
    })
    progress.clear()
    context.out(
      `${output}  ${formatBytes(fileBytes)}  ${formatCount(redacted)} of ${formatCount(strings)} texts became tokens`,
    )
  } finally {
    progress.end()
  }
}
