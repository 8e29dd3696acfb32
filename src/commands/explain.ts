// `leakscope explain`: what a leak pattern is, how to confirm it, how to mend it.

import { Argument, Command } from 'commander'
import { LeakscopeError } from '../errors.ts'
import type { Context } from './common/context.ts'

export function explainCommand(context: Context): Command {
  return new Command('explain')
    .addArgument(new Argument('[pattern]', 'the name in a finding, such as listener-leak (default: a list of all)'))
    .action(async (pattern: string | undefined) => {
      const { listPatterns, readPattern } = await import('../detectors/texts.ts')
      const patterns = listPatterns()
      if (pattern === undefined) {
        const width = Math.max(...patterns.map(({ id }) => id.length))
        for (const { id, summary } of patterns) context.out(`${id.padEnd(width)}  ${summary}`)
        return
      }
      if (!patterns.some(({ id }) => id === pattern)) {
        throw new LeakscopeError('usage-invalid', `there is no pattern called '${pattern}'`, {
          hint: `There are ${patterns.map(({ id }) => id).join(', ')}.`,
        })
      }
      context.out(renderMarkdown(readPattern(pattern), await context.colors()))
    })
}

type Colors = Awaited<ReturnType<Context['colors']>>

/** Headings stand out, code is set off, the rest is as it is written. */
function renderMarkdown(text: string, color: Colors): string {
  let inCode = false
  return text
    .trimEnd()
    .split('\n')
    .flatMap((line) => {
      if (line.startsWith('```')) {
        inCode = !inCode
        return []
      }
      if (inCode) return [color.cyan(line === '' ? '' : `    ${line}`)]
      const heading = /^#+ (.*)$/.exec(line)
      if (heading) return [color.bold(heading[1]!)]
      return [line.replace(/`([^`]+)`/g, (_, code: string) => color.cyan(code))]
    })
    .join('\n')
}
