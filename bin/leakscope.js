#!/usr/bin/env node
import module from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

try {
  // From Node 22.1 on: what V8 compiled is kept for the next time.
  const { LEAKSCOPE_CACHE, XDG_CACHE_HOME } = process.env
  module.enableCompileCache?.(
    join(LEAKSCOPE_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'leakscope'), 'code'),
  )
} catch {
  // A user without a home, as in some containers.
}

const { main } = await import('../dist/bundle/cli.js')
await main(process.argv)
