// leakscope's own version, from the package that it runs from.

import { readFileSync } from 'node:fs'

export function toolVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return version
}
