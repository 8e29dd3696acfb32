// Installs the rivals, each folder of them once.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RIVALS } from './contestants/list.mjs'

export function installRivals() {
  for (const folder of RIVALS) {
    const { dependencies, optionalDependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const missing = (names) => names.filter((name) => !existsSync(join(folder, 'node_modules', name)))
    const wanted = missing(Object.keys({ ...dependencies, ...optionalDependencies }))
    if (wanted.length === 0) continue
    console.error(`installing ${wanted.join(', ')} …`)
    const quiet = ['--no-package-lock', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
    const { status } = spawnSync('npm', ['install', ...quiet], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
      // memlab wants a browser of its own, which reading files has no use for.
      env: { ...process.env, PUPPETEER_SKIP_DOWNLOAD: '1' },
    })
    if (status !== 0) throw new Error(`the rivals could not be installed in ${folder}`)
    for (const name of missing(Object.keys(optionalDependencies))) {
      console.error(`${name} could not be installed, so it does not take part`)
    }
  }
}
