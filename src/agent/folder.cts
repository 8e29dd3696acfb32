// Where the agents' sockets are: a folder that only their user can enter.

import { lstatSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** Of a socket's path, on Linux 108 with its zero and on the BSDs 104; a longer one may be cut without a word. */
const LONGEST_PATH = 103

/** The folder, made if need be. Throws an Error that says why there is none that can be trusted. */
export function socketFolder(): string {
  const uid = process.geteuid?.()
  if (uid === undefined) throw new Error(`it needs Unix sockets, which ${process.platform} does not protect`)
  const runtime = process.env.XDG_RUNTIME_DIR
  const refusals: string[] = []
  for (const place of runtime ? [() => join(runtime, 'leakscope'), inTemporary] : [inTemporary]) {
    const folder = place()
    const refusal = refuse(folder, uid)
    if (refusal === undefined) return folder
    refusals.push(refusal)
  }
  throw new Error(refusals.join('; '))
}

function inTemporary(): string {
  const { tmpdir } = require('node:os') as typeof import('node:os')
  return join(tmpdir(), `leakscope-${process.geteuid!()}`)
}

/** Anybody may make a folder in /tmp, or a link, by the name that we will look for. */
function refuse(folder: string, uid: number): string | undefined {
  try {
    makeFolder(folder)
    const there = lstatSync(folder)
    if (!there.isDirectory()) return `${folder} is not a folder`
    if (there.uid !== uid) return `${folder} belongs to user ${there.uid}`
    if ((there.mode & 0o077) !== 0) return `${folder} is open to other users (chmod 700 it)`
    return undefined
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ERR_ACCESS_DENIED' ? `--permission needs --allow-fs-write=${folder} for it` : message
  }
}

/** Without `recursive`, by which Node 20 tries for ever where the system says that the folder above is not there. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** `agent-4242.sock`. The number tells those apart that have the same pid, each in a container of its own. */
export function socketPath(folder: string, pid: number, number: number): string {
  const path = join(folder, `agent-${pid}${number > 1 ? `-${number}` : ''}.sock`)
  if (Buffer.byteLength(path) > LONGEST_PATH) throw new Error(`the path of its socket would be too long: ${path}`)
  return path
}

/** The pid in the name of a socket. */
export function pidOf(name: string): number | undefined {
  const digits = /^agent-(\d+)(?:-\d+)?\.sock$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
