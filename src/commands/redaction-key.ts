// The key of a redaction: from a file of the user's, or a new one that nobody keeps.

import { readFileSync } from 'node:fs'
import { LeakscopeError } from '../errors.ts'

const KEY_BYTES = 32
const MIN_KEY_BYTES = 16
const HOW_TO_MAKE_ONE = (file: string) => `This makes one: (umask 077; head -c ${KEY_BYTES} /dev/urandom > '${file}')`

/** What `--help` says behind the options, of which `option` is the one that takes the key. */
export const redactionHelp = (option: string): string => `
Texts become tokens of the same length, so that copies of one text, growth and sizes can still be seen. Numbers keep
eight digits; of longer ones, the first two. Names of classes, functions, variables and properties stay, and so do the
URLs of scripts, and texts that are the same as one of these. Keys of plain objects are taken for data if the object
has more than 64 of them, or if they do not read like names in code: a key such as 'alice' in a small object stays.
Keys of Maps and members of Sets never do.

Tokens depend on a key. Each run takes a new one and forgets it: nobody can then try out what a token stood for, but
files of different runs have no token in common. To compare them, give each run the same ${option}, and keep
that file as secret as what is in the heap: who has it can check guesses. A text of fewer than 8 characters has a token
as short, so several such texts may share one.
`

/** The bytes of `file`, or as many random ones. */
export function redactionKey(file: string | undefined): Uint8Array {
  if (file === undefined) return crypto.getRandomValues(new Uint8Array(KEY_BYTES))
  const key = read(file)
  if (key.length < MIN_KEY_BYTES) {
    throw new LeakscopeError(
      'usage-invalid',
      `the key in ${file} has ${key.length} bytes, fewer than ${MIN_KEY_BYTES}`,
      {
        hint: HOW_TO_MAKE_ONE(file),
      },
    )
  }
  return key
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') {
      throw new LeakscopeError('file-not-found', `${file}: no such file`, { cause, hint: HOW_TO_MAKE_ONE(file) })
    }
    throw new LeakscopeError('file-unreadable', `the key in ${file} cannot be read (${message})`, { cause })
  }
}
