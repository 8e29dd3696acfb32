// Who takes part in which event. The first of each is what the others are compared with.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Contestant
 * @property {string} name as the tables say it
 * @property {string} script beside this file
 * @property {string[]} [flags] after the files
 * @property {boolean} [warmUp] it runs once, unmeasured, before it is measured
 * @property {string} [needs] a package that is not leakscope's own
 */

/** @type {Contestant[]} */
const OPENING = [
  { name: 'leakscope', script: 'leakscope.mjs' },
  { name: 'leakscope, again', script: 'leakscope.mjs', flags: ['--again'], warmUp: true },
  { name: 'JSON.parse', script: 'json-parse.mjs' },
  { name: 'DevTools', script: 'devtools.mjs', needs: 'chrome-devtools-frontend' },
  { name: 'memlab', script: 'memlab.mjs', needs: 'memlab' },
  { name: 'v8-heap-parser', script: 'v8-heap-parser.mjs', needs: '@vscode/v8-heap-parser' },
]

/** @type {Contestant[]} */
const COMPARING = [
  { name: 'leakscope', script: 'leakscope-diff.mjs' },
  { name: 'DevTools', script: 'devtools-diff.mjs', needs: 'chrome-devtools-frontend' },
  { name: 'memlab', script: 'memlab-find-leaks.mjs', needs: 'memlab' },
  { name: 'memlab, all', script: 'memlab-find-leaks.mjs', flags: ['--trace-all-objects'], needs: 'memlab' },
]

/** Where rivals are installed: never among leakscope's own dependencies. */
export const RIVALS = ['./', '../../golden/make/'].map((folder) => fileURLToPath(new URL(folder, import.meta.url)))

const installed = (name) => RIVALS.some((folder) => existsSync(`${folder}node_modules/${name}`))
const takePart = (list, rivals) => list.filter(({ needs }) => !needs || (rivals && installed(needs)))

export const openers = (rivals) => takePart(OPENING, rivals)
export const comparers = (rivals) => takePart(COMPARING, rivals)
