// What `leakscope init` sees in a project, and what it writes for it.

import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { readJson } from '../../config/find.ts'
import type { Config } from '../../config/schema.ts'
import { createPartialFile } from '../../support/files.ts'

export const CONFIG_FILE = 'leakscope.config.json'
export const SCENARIO_FILE = 'leak-scenario.mjs'

export interface Project {
  /** Word by word; undefined where none was found. */
  readonly program: readonly string[] | undefined
  /** Why that, or why none. */
  readonly because: string
  /** A port that the program listens on whatever $PORT says. */
  readonly port: number | undefined
  /** Where the JSON schema is, from the folder; undefined where leakscope is not installed in the project. */
  readonly schema: string | undefined
}

export function readProject(folder: string): Project {
  const { program, because } = programOf(folder)
  return { program, because, port: program && portOf(folder, program), schema: schemaFrom(folder) }
}

function programOf(folder: string): Pick<Project, 'program' | 'because'> {
  const manifest = join(folder, 'package.json')
  const { scripts } = (existsSync(manifest) ? readJson(manifest) : {}) as { scripts?: { start?: unknown } }
  if (typeof scripts?.start === 'string') {
    const words = scripts.start.trim().split(/\s+/)
    // What a shell would do with the words, nobody else does.
    const plain = words[0] === 'node' && words.length > 1 && !/["'`$&|;<>(){}*?!#~\\]/.test(scripts.start)
    return plain
      ? { program: words, because: 'the start script of package.json' }
      : { program: undefined, because: `the start script, ${scripts.start}, is no plain call of node` }
  }
  const server = ['server.js', 'server.mjs', 'server.cjs'].find((name) => existsSync(join(folder, name)))
  return server
    ? { program: ['node', server], because: `there is a ${server}` }
    : { program: undefined, because: 'there is no start script and no server.js' }
}

function portOf(folder: string, [, ...words]: readonly string[]): number | undefined {
  const file = words.map((word) => join(folder, word)).find((path) => /\.[cm]?[jt]s$/.test(path) && existsSync(path))
  const source = file === undefined ? '' : readFileSync(file, 'utf8')
  return /\bPORT\b/.test(source) ? undefined : Number(/\blisten\(\s*(\d{2,5})\b/.exec(source)?.[1]) || undefined
}

function schemaFrom(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, 'node_modules', 'leakscope', 'dist', 'config', 'config.schema.json')
    if (existsSync(file))
      return relative(folder, file)
        .split(sep)
        .join('/')
        .replace(/^(?!\.)/, './')
    if (at === dirname(at)) return undefined
  }
}

/** A file for everybody who may read the project, unlike what else we write. */
export function writeShared(name: string, text: string, force: boolean): void {
  const file = createPartialFile(name, force)
  try {
    file.write(text)
    file.commit()
  } finally {
    file.discard()
  }
  chmodSync(name, 0o666 & ~process.umask())
}

export function configText({ program, port, schema }: Project): string {
  const config: Config = {
    ...(schema !== undefined && { $schema: schema }),
    check: {
      ...(program && { program: [...program] }),
      ...(port !== undefined && { ready: `${port}` }),
      script: SCENARIO_FILE,
    },
  }
  // A list of words reads better in one line.
  const text = JSON.stringify(config, null, 2).replace(
    /\[\n\s*([^\]]+?)\n\s*\]/g,
    (_, items: string) => `[${items.replace(/\n\s*/g, ' ')}]`,
  )
  return `${text}\n`
}

export const scenarioText = ({ program }: Project): string => (program ? FOR_A_SERVER : BY_ITSELF)

const FOR_A_SERVER = `// What one user of the server does: leakscope check calls iteration() again and again, and measures the server meanwhile.

export function setup({ port }) {
  return { url: \`http://localhost:\${port}/\` }
}

export async function iteration({ url }) {
  const response = await fetch(url)
  await response.arrayBuffer()
  if (!response.ok) throw new Error(\`\${url} answered \${response.status}\`)
}
`

const BY_ITSELF = `// What must not leak: leakscope check calls iteration() again and again, and measures this process meanwhile.

// What setup() returns, iteration() is given; it may be left out.
export function setup() {}

export async function iteration() {
  throw new Error('put here what must not leak')
}
`
