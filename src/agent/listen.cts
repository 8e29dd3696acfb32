// The agent's socket: one for each process, gone when the process is, and never a reason for it to stay.

import { chmodSync, lstatSync, readdirSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { complain } from './complain.cts'
import { pidOf, socketFolder, socketPath } from './folder.cts'

/** Containers that share a folder may each have a process of this pid; not more of them than this. */
const MOST_OF_ONE_PID = 9

/** Opens the socket. Throws an Error that says why there is no place for one; what comes later is complained of. */
export function listen(): void {
  const folder = socketFolder()
  listenAs(folder, 1)
  removeLeftOvers(folder)
}

function listenAs(folder: string, number: number, isFresh = false): void {
  const path = socketPath(folder, process.pid, number)
  const server = createServer(receive)
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE' || isFresh) return complain(error)
    ifNobodyListens(path, (nobody) => {
      try {
        if (nobody) unlinkSync(path)
        else if (number === MOST_OF_ONE_PID) throw error
        listenAs(folder, nobody ? number : number + 1, nobody)
      } catch (reason) {
        complain(reason)
      }
    })
  })
  // Exclusive: a cluster's worker would have its primary listen instead.
  server.listen({ path, exclusive: true })
  server.unref()
  // It listens by now, or never will, and nobody else can have come in: the folder is ours alone.
  if (!server.listening) return
  try {
    chmodSync(path, 0o600)
  } catch (error) {
    server.close()
    throw error
  }
  const { ino } = lstatSync(path)
  process.on('exit', () => {
    try {
      if (lstatSync(path).ino === ino) unlinkSync(path)
    } catch {
      // It is gone already.
    }
  })
}

/** What is needed from here on is not loaded before somebody comes: an idle process does not pay for it. */
function receive(socket: Socket): void {
  try {
    const { converse } = require('./converse.cjs') as typeof import('./converse.cts')
    converse(socket)
  } catch {
    socket.destroy() // the package was replaced or removed since the process began
  }
}

/** A process that is killed leaves its socket behind; pids come back seldom, so nobody else would take it away. */
function removeLeftOvers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = pidOf(name)
    if (pid === undefined || pid === process.pid || isRunning(pid)) continue
    const path = join(folder, name)
    // The pid may be one of another container's, so the socket itself is asked as well.
    ifNobodyListens(path, (nobody) => {
      try {
        if (nobody) unlinkSync(path)
      } catch {
        // Somebody else was faster.
      }
    })
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function ifNobodyListens(path: string, then: (nobody: boolean) => void): void {
  const socket = connect(path)
  socket.unref()
  socket.on('connect', () => {
    socket.destroy()
    then(false)
  })
  socket.on('error', (error: NodeJS.ErrnoException) => then(error.code === 'ECONNREFUSED'))
}
