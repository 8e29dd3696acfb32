// Gives the Node binary of any major version, or a package, fetched once from the npm registry and kept in a cache folder.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The majors that leakscope promises to read: what people still run, from the oldest on. */
export const NODE_MAJORS = [18, 20, 22, 24, 26]

const run = promisify(execFile)

/** The path of a `node` of that major version; the running one's own if it is of that version. */
export async function nodeBinary(major) {
  if (Number(process.versions.node.split('.')[0]) === major) return process.execPath
  // The package whose only content is the binary; the plain `node` package fetches it in an install script.
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const home = await cachedPackage(name, major)
  return join(home, 'node_modules', name, ...(process.platform === 'win32' ? ['bin', 'node.exe'] : ['bin', 'node']))
}

/** A folder in whose node_modules a package is, of that version; no install script of it runs. */
export async function cachedPackage(name, version) {
  const cache = await cacheFolder()
  const home = join(cache, `${name}-${version}`)
  if (existsSync(home)) return home

  const staging = await mkdtemp(join(cache, '.installing-'))
  try {
    // An npm project of its own, or npm would climb up and install into somebody's node_modules.
    await writeFile(join(staging, 'package.json'), '{"private":true}\n')
    const args = [
      'install',
      '--prefix',
      staging,
      '--no-save',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      `${name}@${version}`,
    ]
    await run('npm', args, { shell: process.platform === 'win32' })
    // Whoever is second finds the folder there already, with the same content.
    await rename(staging, home).catch((error) => {
      if (!existsSync(home)) throw error
    })
  } catch (error) {
    throw new Error(`could not install ${name}@${version} from npm: ${error.stderr || error.message}`, { cause: error })
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  return home
}

async function cacheFolder() {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'leakscope-test-nodes')
  try {
    await mkdir(folder, { recursive: true })
    return folder
  } catch {
    // A home that cannot be written to, as containers have it.
    const fallback = join(tmpdir(), 'leakscope-test-nodes')
    await mkdir(fallback, { recursive: true })
    return fallback
  }
}
