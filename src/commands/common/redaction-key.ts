// The key of a redaction: from a file of the user's, or a new one that nobody keeps.

import { readFileSync } from 'node:fs'
import { LeakscopeError } from '../../errors.ts'

const KEY_BYTES = 32
const MIN_KEY_BYTES = 16
const HOW_TO_MAKE_ONE = (file: string) => `This makes one: (umask 077; head -c ${KEY_BYTES} /dev/urandom > '${file}')`

/** What `--help` says behind the options, of which `option` is the one that takes the key. */
export const redactionHelp = (option: string): string => `
Every text becomes a token of the same length. Copies of one text have the same
token, so growth, sizes and duplicates can still be seen. Numbers of up to 8 digits stay;
of longer ones, only the first two digits. Names of classes, functions, variables and properties stay, as do
URLs of scripts. The keys of a plain object count as data if it has more than
64 of them or if they do not look like names in code: a key such as 'alice' in a
small object stays. Keys of Maps and members of Sets never stay.

Tokens depend on a key. Each run makes a new one and forgets it, so nobody can
try out what a token stands for, but files of different runs have no token in
common. To compare them, give each run the same ${option}, and keep
that file as secret as the heap itself: who has it can check guesses. Texts of fewer than 8 characters may share a token.
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
