// What `import … from 'leakscope/config'` gives: types for a config file, and nothing to load at run time.

import type { Config } from './schema.ts'

export type { Config } from './schema.ts'

/** Returns what it is given, so that an editor knows what may stand there. */
export function defineConfig(config: Config): Config {
  return config
}
