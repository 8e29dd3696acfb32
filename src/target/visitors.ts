// Who is inside a target: several leakscopes may be at once, and one may have been killed before it could tidy up.

import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { z } from 'zod'
import type { Platform } from './platform.ts'
import { evaluate, type ProtocolClient, type SendOptions } from './session.ts'

/** A leakscope, told apart from every other process, of this machine or another, that has or had its pid. */
export const VISITOR = z.object({
  pid: z.number(),
  /** As `ProcessFacts.birth`. */
  birth: z.string(),
  /** The machine since it was started, and the PID namespace, for pids mean nothing outside of theirs. */
  place: z.string(),
  /** When it came, in milliseconds since the epoch. */
  at: z.number(),
})
export type Visitor = z.infer<typeof VISITOR>

let here: string | undefined

/** Where pids mean what they mean to us. */
export function ourPlace(): string {
  here ??= readPlace()
  return here
}

function readPlace(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}

/** Ourselves, as others will know us. */
export async function ourselves(platform: Platform): Promise<Visitor> {
  const birth = (await platform.describe(process.pid))?.birth ?? ''
  return { pid: process.pid, birth, place: ourPlace(), at: Date.now() }
}

/** `unknown` when it came from elsewhere. */
export async function isRunning(platform: Platform, { pid, birth, place }: Visitor): Promise<'yes' | 'no' | 'unknown'> {
  if (place !== ourPlace()) return 'unknown'
  const facts = await platform.describe(pid)
  return facts && facts.state !== 'zombie' && facts.birth === birth ? 'yes' : 'no'
}

// Whoever opens the inspector leaves a list of the leakscopes inside on the target's `process`, under a symbol. While
// the list is there, the inspector is leakscope's, and the last one out shuts it and takes the list away.
export const LIST = `process[Symbol.for('leakscope.visitors')]`

const IDENTITY = z
  .object({
    pid: z.number(),
    version: z.string(),
    command: z.array(z.string()).catch([]),
    found: z.array(VISITOR).nullable(),
  })
  .nullable()

export interface Identity {
  /** As the process sees it. */
  readonly pid: number
  readonly version: string
  readonly command: readonly string[]
  /** The leakscopes that were on the list before us; null when no leakscope opened the inspector. */
  readonly found: readonly Visitor[] | null
}

/**
 * Asks who answers, and puts `us` on the list of visitors, if there is one or, with `opened`, there is to be one.
 * Null when what answers is not Node.
 */
export function signIn(
  client: ProtocolClient,
  us: Visitor,
  expectedPid: number | undefined,
  opened: boolean,
): Promise<Identity | null> {
  return evaluate(
    client,
    `(() => {
      if (typeof process !== 'object' || !process?.versions?.node) return null
      const { pid, version, argv, execArgv } = process
      const found = ${LIST} ?? null
      const list = found ?? (${opened} ? [] : undefined)
      if (list && ${expectedPid ?? 'pid'} === pid) ${setList(`[...list, ${JSON.stringify(us)}]`)}
      return { pid, version, command: [argv?.[0], ...(execArgv ?? []), ...(argv ?? []).slice(1)], found }
    })()`,
    IDENTITY,
  )
}

/**
 * Takes us off the list; returns who is left, of which some may have been killed long ago, or null when there is no
 * list: then the inspector is not ours to shut.
 */
export function signOut(client: ProtocolClient, us: Visitor, options: SendOptions): Promise<Visitor[] | null> {
  return evaluate(
    client,
    `(() => {
      const list = ${LIST}
      if (!list) return null
      const us = ${JSON.stringify(us)}
      const left = list.filter((it) => Object.keys(us).some((key) => it[key] !== us[key]))
      ${setList('left')}
      return left
    })()`,
    z.array(VISITOR).nullable(),
    options,
  )
}

/** Not enumerable, so that no program stumbles over it; and no matter if the program has frozen its `process`. */
function setList(list: string): string {
  return `Reflect.defineProperty(process, Symbol.for('leakscope.visitors'), { value: ${list}, configurable: true })`
}
