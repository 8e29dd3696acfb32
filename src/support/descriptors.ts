// Reading and writing at a place of an open file, however many calls that takes.

import { readSync, writeSync } from 'node:fs'

/** Reads until the file ends or `length` bytes are there; says how many are. */
export function readFully(fd: number, target: Uint8Array, at: number, position: number, length: number): number {
  let done = 0
  while (done < length) {
    const read = readSync(fd, target, at + done, length - done, position + done)
    if (read === 0) break
    done += read
  }
  return done
}

export function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done)
  }
}
