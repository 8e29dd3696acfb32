// Notes that leakscopes leave for each other in the user's runtime folder: who is visiting which process. A note that
// outlives its writer tells of a visit that was cut off. They are a help, never a condition: without them everything
// works, but less is known.

import { lstatSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { makeFolders } from '../support/folders.ts'
import type { Platform } from './platform.ts'
import { isRunning, ourPlace, VISITOR, type Visitor } from './visitors.ts'

const NOTE = z.object({
  visitor: VISITOR,
  target: z.object({ pid: z.number(), birth: z.string() }),
  /** Whether the visitor found the inspector shut, and had it opened. */
  opened: z.boolean(),
})
type Note = z.infer<typeof NOTE>

let lastNumber = 0

/** Leaves a note; returns what takes it away. */
export function leaveNote(note: Note): () => void {
  const folder = notesFolder()
  if (folder === undefined) return () => {}
  const path = join(folder, `visit-${note.visitor.pid}-${++lastNumber}.json`)
  try {
    // In one step, so that nobody reads half of it.
    writeFileSync(`${path}.new`, `${JSON.stringify(note)}\n`, { mode: 0o600 })
    renameSync(`${path}.new`, path)
  } catch {
    rmSync(`${path}.new`, { force: true })
  }
  return () => rmSync(path, { force: true })
}

/** A leakscope that is in process `pid` now, if there is one. */
export async function visitorOf(platform: Platform, pid: number): Promise<Visitor | undefined> {
  return (await notesOn(platform, pid)).find((it) => it.running)?.visitor
}

/** Visits to process `pid` that opened its inspector and were killed before they could shut it. */
export async function cutOffVisits(
  platform: Platform,
  pid: number,
): Promise<{ readonly by: Visitor; forget(): void }[]> {
  const notes = await notesOn(platform, pid)
  return notes.filter((it) => !it.running && it.opened).map((it) => ({ by: it.visitor, forget: it.remove }))
}

async function notesOn(platform: Platform, pid: number) {
  const notes = await Promise.all(readNotes().map(async (it) => ({ ...it, ...(await check(platform, it)) })))
  // What nobody can make use of any more.
  for (const { running, current, remove } of notes) if (!running && !current) remove()
  return notes.filter((it) => it.current && it.target.pid === pid)
}

/** Whether who wrote it still runs, and whether the target is still the same process. */
async function check(platform: Platform, { visitor, target }: Note): Promise<{ running: boolean; current: boolean }> {
  const [writer, visited] = await Promise.all([
    isRunning(platform, visitor),
    isRunning(platform, { ...visitor, ...target }),
  ])
  return { running: writer === 'yes', current: visited === 'yes' }
}

function readNotes(): (Note & { remove(): void })[] {
  const folder = notesFolder()
  if (folder === undefined) return []
  return readdirSync(folder).flatMap((name) => {
    if (!name.endsWith('.json')) return []
    const path = join(folder, name)
    try {
      const note = NOTE.parse(JSON.parse(readFileSync(path, 'utf8')))
      // Pids of another machine or container mean nothing here, though the folder is shared.
      return note.visitor.place === ourPlace() ? [{ ...note, remove: () => rmSync(path, { force: true }) }] : []
    } catch {
      return [] // gone since, or somebody else's
    }
  })
}

/** A folder that only we can write to; undefined when there is none to be had. */
function notesFolder(): string | undefined {
  const uid = process.getuid?.()
  const runtime = process.env.XDG_RUNTIME_DIR
  const folder = runtime ? join(runtime, 'leakscope') : join(tmpdir(), `leakscope-${uid ?? 'notes'}`)
  try {
    makeFolders(folder)
    const there = lstatSync(folder)
    // Anybody may make a folder in /tmp, or a link, by the name that we will look for.
    const ours = uid === undefined || (there.uid === uid && (there.mode & 0o022) === 0)
    return there.isDirectory() && ours ? folder : undefined
  } catch {
    return undefined
  }
}
