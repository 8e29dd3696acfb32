// Takes a heap snapshot of an isolate that does not return to its event loop: an endless loop, or a flood of messages.
//
// From Node 22 on, V8 begins the inspector's snapshot only when no JavaScript is on the stack, and there it never does.
// It still answers questions, in between; so it is asked to take the snapshot as its program could, all in one answer.

import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { evaluate, type ProtocolClient } from '../target/session.ts'

const PIECE = z.object({ name: z.string(), payload: z.string() })

/**
 * Hands the snapshot to `onPiece`; false when this Node has no need of it, or no way. Node's stream of a snapshot
 * serializes all of it when first read. Its pieces, ASCII all of them, go out through a function of the inspector's
 * instead of waiting in memory, as the program comes to nothing meanwhile. https://nodejs.org/api/v8.html
 */
export async function snapshotWithin(
  client: ProtocolClient,
  onPiece: (text: string) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const name = `leakscope${randomBytes(8).toString('hex')}`
  const off = client.on('Runtime.bindingCalled', (params) => {
    const { data } = PIECE.safeParse(params)
    if (data?.name === name) onPiece(data.payload)
  })
  try {
    const [, taken] = await Promise.all([
      client.send('Runtime.addBinding', { name }, { signal }),
      evaluate(client, `(${takeSnapshot})(${JSON.stringify(name)})`, z.boolean(), { signal }),
    ])
    return taken
  } finally {
    off()
    client.send('Runtime.removeBinding', { name }).catch(() => {})
  }
}

/** Runs in the target. */
const takeSnapshot = `(name) => {
  const send = globalThis[name]
  delete globalThis[name]
  if (parseInt(process.versions.node) < 22 || !process.getBuiltinModule) return false
  const snapshot = process.getBuiltinModule('v8').getHeapSnapshot({ exposeNumericValues: true })
  let ended = false
  snapshot.push = (piece) => {
    if (piece === null) ended = true
    else send(piece.latin1Slice())
    return true
  }
  const read = snapshot._read
  snapshot._read = () => {} // at its end, it asks for more
  read.call(snapshot)
  snapshot.destroy()
  return ended
}`
