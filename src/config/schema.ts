// What a config file may say: by command, options that stand for those of the command line.

import { z } from 'zod'
import { FAIL_ON } from '../findings/fail-on.ts'
import { FORMAT_NAMES } from '../report/format-names.ts'
import { DURATION, SIZE } from '../support/format.ts'

// A message says what a key takes; who reads the file puts the key before it, and behind it what was there instead.
const text = (what: string) => z.string({ error: what }).min(1, what)
const duration = z
  .string({ error: 'a duration such as "10s" or "2min"' })
  .regex(DURATION, 'a duration such as "10s" or "2min"')
const size = z.string({ error: 'a size such as "512MB"' }).regex(SIZE, 'a size such as "512MB"')
const flag = z.boolean({ error: 'true or false' })
const count = z.int({ error: 'a whole number from 1' }).min(1, 'a whole number from 1')
const file = text('the name of a file')
const choice = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z.enum(names, { error: names.map((name) => `"${name}"`).join(', ') })

const inside = (pattern: RegExp) => pattern.source.slice(1, -1)
const BUDGET = new RegExp(`^(\\d+(\\.\\d+)? ?%|${inside(SIZE)}(/(iteration|second))?)$`)
const budget = 'a budget such as "1KB/iteration", "5%" or "2MB"'
const FORMAT = new RegExp(`^(${FORMAT_NAMES.join('|')})(=.+)?$`)
const format = `a format such as "sarif=leaks.sarif", of ${FORMAT_NAMES.join(', ')}`

const shared = {
  limit: count.describe('findings, or rows, to show').optional(),
  failOn: choice(FAIL_ON).describe('exit with 1 if there is a finding of this severity or a higher one').optional(),
  format: z
    .array(z.string({ error: format }).regex(FORMAT, format), {
      error: 'a list such as ["terminal", "sarif=leaks.sarif"]',
    })
    .describe('output formats, each to a file; one may go to standard output')
    .optional(),
  baseline: file.describe('the file of leaks that are known, and of suppressions').optional(),
  quiet: flag.describe('show no progress').optional(),
}
const price = {
  maxPause: duration.describe('take no snapshot when a thread may stand still for longer').optional(),
  memoryLimit: size.describe('nor when the process may come to use more than this').optional(),
}
const wait = duration.describe('wait so long while another process has the port for the inspector').optional()

export const SECTIONS = {
  check: z.strictObject(
    {
      program: z
        .array(text('a word of the command'), { error: 'a list such as ["node", "server.js"]' })
        .min(1, 'a list such as ["node", "server.js"]')
        .describe('the program to start, word by word; it runs in the folder of this file')
        .optional(),
      ready: text('a port, a URL, or a part of what the program writes')
        .describe('when the program is ready: a port, a URL, or a part of what it writes')
        .optional(),
      readyTimeout: duration.describe('how long that may take').optional(),
      load: text('a shell command')
        .describe(
          'a shell command that makes the program work, with $PORT and $PID; it runs in the folder of this file',
        )
        .optional(),
      iterationsPerLoad: count.describe('how many iterations one run of the load counts for').optional(),
      script: file.describe('a module that exports iteration(), which is called again and again').optional(),
      maxGrowth: z
        .string({ error: budget })
        .regex(BUDGET, budget)
        .describe('how much memory may grow: 1KB/iteration, or 5% or 2MB in all')
        .optional(),
      maxDuration: duration.describe('begin no round later').optional(),
      strict: flag.describe('fail also when the rounds do not tell').optional(),
      output: text('the name of a folder').describe('keep the snapshots of a failed check there').optional(),
      redact: flag.describe('without what the program had in its strings (default: true)').optional(),
      force: flag.describe('replace the folder of an earlier check').optional(),
      ...price,
      ...shared,
    },
    { error: 'an object with the options of leakscope check' },
  ),
  diagnose: z.strictObject(
    {
      duration: duration.describe('how long to watch').optional(),
      snapshots: count.describe('how many to take meanwhile').optional(),
      light: flag.describe('take no snapshot').optional(),
      wait,
      ...price,
      ...shared,
    },
    { error: 'an object with the options of leakscope diagnose' },
  ),
  diff: z.strictObject(
    {
      sort: choice(['retained', 'shallow', 'count']).describe('order of the classes').optional(),
      index: flag.describe('false: leave no indexes for the next time, and use none').optional(),
      ...shared,
    },
    { error: 'an object with the options of leakscope diff' },
  ),
  snapshot: z.strictObject(
    {
      isolate: z
        .string({ error: '"main", "all" or "worker:3"' })
        .regex(/^(main|all|worker:[1-9]\d*)$/, '"main", "all" or "worker:3"')
        .describe('whose heap')
        .optional(),
      count: count.describe('how many to take in one visit').optional(),
      every: duration.describe('how long from the end of one to the next').optional(),
      wait,
      redact: flag.describe('write tokens in the place of all texts of the program').optional(),
      redactKeyFile: file.describe('the same, with the key in this file').optional(),
      ...price,
      quiet: shared.quiet,
    },
    { error: 'an object with the options of leakscope snapshot' },
  ),
}

export type Section = keyof typeof SECTIONS

export const ConfigSchema = z
  .strictObject(
    {
      $schema: z
        .string({ error: 'where the JSON schema is' })
        .describe('where the JSON schema of this file is')
        .optional(),
      check: SECTIONS.check.describe('options of leakscope check').optional(),
      diagnose: SECTIONS.diagnose.describe('options of leakscope diagnose').optional(),
      diff: SECTIONS.diff.describe('options of leakscope diff').optional(),
      snapshot: SECTIONS.snapshot.describe('options of leakscope snapshot').optional(),
    },
    { error: 'an object such as { "check": { "script": "scenario.mjs" } }' },
  )
  .describe('leakscope.config.json: options that stand for those of the command line, which win over them')

export type Config = z.input<typeof ConfigSchema>

/** For editors: config.schema.json is this as a text, and a test sees to it. */
export const jsonSchema = (): object => z.toJSONSchema(ConfigSchema, { io: 'input', target: 'draft-7' })
