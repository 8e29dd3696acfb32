// Programs that write heap snapshots of themselves: real heaps in a second or two, where nothing has to be attached to.

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Report } from '../../src/findings/report.ts'
import { runCli, temporaryFolder } from './target.ts'

/** What `diff` says of a program while its timers run. @param source of a module in which `sleep` is there */
export async function diffOfProgram(source: string): Promise<Report> {
  const folder = temporaryFolder()
  const program = join(folder, 'program.mjs')
  const files = ['a', 'b', 'c'].map((name) => join(folder, `${name}.heapsnapshot`))
  await writeFile(
    program,
    `import { setTimeout as sleep } from 'node:timers/promises'; import { writeHeapSnapshot } from 'node:v8'
${source}
for (const file of process.argv.slice(2)) {
  await sleep(700)
  writeHeapSnapshot(file)
}
process.exit()
`,
  )
  await promisify(execFile)(process.execPath, [program, ...files])
  return JSON.parse((await runCli(['diff', ...files, '--json'])).stdout)
}
