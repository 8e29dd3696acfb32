// `leakscope init`: writes a config for `leakscope check`, by what a project's package.json says.

import { existsSync, rmSync } from 'node:fs'
import { Command } from 'commander'
import { LeakscopeError } from '../../errors.ts'
import { printable } from '../../support/format.ts'
import type { Context } from '../common/context.ts'

interface Options {
  readonly force?: boolean
}

const help = `
It asks nothing. The program to check is the start script of package.json, if
that is a plain call of node, or else server.js; without either, the scenario is
checked by itself. A scenario that exists already is kept.`

export function initCommand(context: Context): Command {
  return new Command('init')
    .option('--force', 'replace leakscope.config.json if it exists')
    .addHelpText('after', help)
    .action((options: Options) => run(context, options))
}

async function run(context: Context, { force = false }: Options): Promise<void> {
  const [{ configIn }, { CONFIG_FILE, configText, readProject, SCENARIO_FILE, scenarioText, writeShared }] =
    await Promise.all([import('../../config/find.ts'), import('./project.ts')])
  const folder = process.cwd()
  const there = configIn(folder)
  if (there && (there.inPackage || !there.file.endsWith(CONFIG_FILE))) {
    const what = there.inPackage ? 'the key "leakscope" of package.json' : there.file
    throw new LeakscopeError('file-exists', `${what} is the config already`, {
      hint: `Two would contradict each other: take that away first, if ${CONFIG_FILE} is to be written.`,
    })
  }
  const project = readProject(folder)
  const hasScenario = existsSync(SCENARIO_FILE)
  writeShared(CONFIG_FILE, configText(project), force)
  try {
    if (!hasScenario) writeShared(SCENARIO_FILE, scenarioText(project), false)
  } catch (error) {
    // Who may not have the one is not to be left with the other.
    if (!there) rmSync(CONFIG_FILE, { force: true })
    throw error
  }
  const { program, because } = project
  const checks = program ? `start \`${program.join(' ')}\`` : 'check the scenario by itself'
  context.out(printable(`${CONFIG_FILE}: leakscope check is to ${checks} (${because})`))
  const state = hasScenario ? 'was there already, and is kept' : program ? 'asks for / once' : 'is to be filled in'
  context.out(`${SCENARIO_FILE}: its iteration() is called again and again; it ${state}`)
  const first = `put into ${SCENARIO_FILE} what ${program ? 'your users do' : 'must not leak'}, then `
  context.out(`Next: ${hasScenario ? '' : first}run\n  npx leakscope check`)
}
