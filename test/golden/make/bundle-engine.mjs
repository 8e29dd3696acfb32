// Bundles Chrome DevTools' engines for heap snapshots and CPU profiles into one module that plain Node can import.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import esbuild from 'esbuild'

const here = fileURLToPath(new URL('.', import.meta.url))
const front = './node_modules/chrome-devtools-frontend/front_end'
const entry = `
  export { HeapSnapshot, JSHeapSnapshot, SecondaryInitManager } from '${front}/entrypoints/heap_snapshot_worker/HeapSnapshot.ts'
  export { HeapSnapshotLoader } from '${front}/entrypoints/heap_snapshot_worker/HeapSnapshotLoader.ts'
  export { CPUProfileDataModel } from '${front}/models/cpu_profile/CPUProfileDataModel.ts'
  export { NodeFilter } from '${front}/models/heap_snapshot/HeapSnapshotModel.ts'
`
// The list of locales is made by DevTools' build, which nobody ran here; the engine only wants it to exist.
const noLocales = ['LOCALES', 'BUNDLED_LOCALES']
  .map((name) => `export const ${name} = ['en-US']`)
  .concat(["export const DEFAULT_LOCALE = 'en-US'"])
  .concat(['REMOTE_FETCH_PATTERN', 'LOCAL_FETCH_PATTERN'].map((name) => `export const ${name} = ''`))
  .join('\n')

/** The path of the bundle, made on the first call. */
export async function bundleEngine() {
  const outfile = `${here}node_modules/.engine.mjs`
  if (existsSync(outfile)) return outfile
  await esbuild.build({
    stdin: { contents: entry, resolveDir: here, loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
    // DevTools is compiled with these, and relies on fields not being redefined by subclasses.
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false, target: 'es2022' } },
    plugins: [
      {
        name: 'no-locales',
        setup(build) {
          build.onResolve({ filter: /\/locales\.js$/ }, () => ({ path: 'locales', namespace: 'stub' }))
          build.onLoad({ filter: /.*/, namespace: 'stub' }, () => ({ contents: noLocales, loader: 'js' }))
        },
      },
    ],
  })
  return outfile
}
