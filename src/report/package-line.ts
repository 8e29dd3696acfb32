// One line about the package behind a leak: which version, which function, where, and the program's line that leads there.

import type { ReportFinding } from '../findings/report.ts'

/** `added by p-queue@9.0.0, PQueue.add, node_modules/p-queue/dist/index.js:215; called at leaky.mjs:19`. */
export function packageLine({ package: behind, culprit }: ReportFinding): string | undefined {
  if (!behind) return undefined
  const { name, version, role, file, line, function: inside } = behind
  const who = version === null ? name : `${name}@${version}`
  const where = `${file.replace(/[?#].*$/s, '').replace(/^.*\/(?=node_modules\/)/s, '')}:${line}`
  const called = culprit?.package === null ? `; called at ${baseName(culprit.url)}:${culprit.line}` : ''
  return `${role === 'adds' ? 'added' : 'held'} by ${[who, ...(inside === null ? [] : [inside]), where].join(', ')}${role === 'adds' ? called : ''}`
}

const baseName = (url: string): string => url.replace(/[?#].*$/s, '').replace(/^.*[\\/]/s, '')
