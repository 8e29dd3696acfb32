// `leakscope init`: writes a config for `leakscope check`, by what a project's package.json says.

import { Command } from 'commander'
import { LeakscopeError } from '../errors.ts'
import type { Context } from './context.ts'

interface Options {
  readonly force?: boolean
}

const help = `
Asks nothing. The start script of package.json, if it is a plain call of node, or else server.js, becomes the program
to check; without either, the scenario is checked by itself. A scenario that is there already is kept.`

export function initCommand(context: Context): Command {
  return new Command('init')
    .description('write leakscope.config.json, and a scenario, for `leakscope check` to be run by')
    .option('--force', 'replace a leakscope.config.json that is there')
    .addHelpText('after', help)
    .action((options: Options) => run(context, options))
}

async function run(context: Context, { force = false }: Options): Promise<void> {
  const [
    { configIn },
    { CONFIG_FILE, configText, readProject, SCENARIO_FILE, scenarioText },
    { createPartialFile },
    fs,
  ] = await Promise.all([
    import('../config/find.ts'),
    import('./init-project.ts'),
    import('../support/files.ts'),
    import('node:fs'),
  ])
  const folder = process.cwd()
  const there = configIn(folder)
  if (there && (there.inPackage || !there.file.endsWith(CONFIG_FILE))) {
    const what = there.inPackage ? 'the key "leakscope" of package.json' : there.file
    throw new LeakscopeError('file-exists', `${what} is the config already`, {
      hint: `Two would contradict each other: take that away first, if ${CONFIG_FILE} is to be written.`,
    })
  }
  const project = readProject(folder)
  const hasScenario = fs.existsSync(SCENARIO_FILE)
  // Who may not have the one is not to be left with the other.
  const files = [
    { name: CONFIG_FILE, text: configText(project), mayReplace: force },
    ...(hasScenario ? [] : [{ name: SCENARIO_FILE, text: scenarioText(project), mayReplace: false }]),
  ]
  const written: string[] = []
  try {
    for (const { name, text, mayReplace } of files) {
      const file = createPartialFile(name, mayReplace)
      try {
        file.write(text)
        file.commit()
      } finally {
        file.discard()
      }
      // It is for everybody who may read the project.
      fs.chmodSync(name, 0o666 & ~process.umask())
      if (!mayReplace) written.push(name)
    }
  } catch (error) {
    for (const name of written) fs.rmSync(name, { force: true })
    throw error
  }
  const { program, because } = project
  context.out(
    program
      ? `${CONFIG_FILE}: leakscope check is to start \`${program.join(' ')}\` (${because})`
      : `${CONFIG_FILE}: leakscope check is to check the scenario by itself (${because})`,
  )
  context.out(
    hasScenario
      ? `${SCENARIO_FILE}: was there already, and is kept; its iteration() is called again and again`
      : `${SCENARIO_FILE}: its iteration() is called again and again; ${program ? 'it asks for / once' : 'what it is to do is not in it yet'}`,
  )
  context.out(
    `Next: ${hasScenario ? '' : `put into ${SCENARIO_FILE} what ${program ? 'your users do' : 'must not leak'}, then `}run\n  npx leakscope check`,
  )
}
