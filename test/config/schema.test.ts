import { Ajv } from 'ajv'
import type { Command, Option } from 'commander'
import { describe, expect, it } from 'vitest'
import { checkCommand } from '../../src/commands/check/command.ts'
import { createContext } from '../../src/commands/common/context.ts'
import { diagnoseCommand } from '../../src/commands/diagnose/command.ts'
import { diffCommand } from '../../src/commands/diff.ts'
import { snapshotCommand } from '../../src/commands/snapshot/command.ts'
import { ConfigSchema, jsonSchema, SECTIONS, type Section } from '../../src/config/schema.ts'

const context = createContext(new AbortController().signal)
const COMMANDS: Record<Section, Command> = {
  check: checkCommand(context),
  diagnose: diagnoseCommand(context),
  diff: diffCommand(context),
  snapshot: snapshotCommand(context),
}

/** One value of each that is right, or as many as tell. */
const EXAMPLES: Record<Section, Record<string, unknown[]>> = {
  check: {
    program: [['node', 'server.js']],
    ready: ['3000', 'listening on', 'http://localhost:$PORT/health'],
    readyTimeout: ['10s'],
    load: ['npx autocannon http://localhost:$PORT'],
    iterationsPerLoad: [1000],
    script: ['scenario.mjs'],
    maxGrowth: ['1KB/iteration', '10 MiB/second', '0.5%', '2MB', '2mb'],
    maxDuration: ['2min', '500ms', '90', '1.5h'],
    strict: [true, false],
    output: ['kept'],
    redact: [false, true],
    force: [true],
    maxPause: ['5s'],
    memoryLimit: ['512MB', '512Mi', '1.5 GiB'],
    limit: [3],
    failOn: ['note', 'warning', 'error', 'never'],
    format: [['terminal', 'json', 'markdown=a.md', 'junit=a/b.xml', 'sarif=a=b.sarif', 'github']],
    baseline: ['known.json'],
    quiet: [true],
  },
  diagnose: {
    duration: ['30s'],
    snapshots: [3],
    light: [true],
    wait: ['1min'],
    maxPause: ['5s'],
    memoryLimit: ['512MB'],
    limit: [3],
    failOn: ['error'],
    format: [['markdown']],
    baseline: ['known.json'],
    quiet: [true],
  },
  diff: {
    sort: ['retained', 'shallow', 'count'],
    index: [false],
    limit: [3],
    failOn: ['error'],
    format: [[]],
    baseline: ['known.json'],
    quiet: [true],
  },
  snapshot: {
    isolate: ['main', 'all', 'worker:12'],
    count: [3],
    every: ['10s'],
    wait: ['1min'],
    redact: [true],
    redactKeyFile: ['key'],
    maxPause: ['5s'],
    memoryLimit: ['512MB'],
    quiet: [true],
  },
}
const all = Object.entries(EXAMPLES).flatMap(([section, keys]) =>
  Object.entries(keys).flatMap(([key, values]) => values.map((value) => ({ section: section as Section, key, value }))),
)

const optionOf = (section: Section, key: string): Option | undefined =>
  COMMANDS[section].options.find((option) => option.attributeName() === key)

describe('the schema of the config', () => {
  it('has a key for nothing but options of the command, by the same names', () => {
    for (const [section, { shape }] of Object.entries(SECTIONS)) {
      for (const key of Object.keys(shape).filter((it) => it !== 'program')) {
        expect(optionOf(section as Section, key), `${section}.${key}`).toBeDefined()
      }
      expect(Object.keys(shape).sort()).toEqual(Object.keys(EXAMPLES[section as Section]).sort())
    }
  })

  it('takes what the option takes, and the option takes it', () => {
    for (const { section, key, value } of all) {
      expect(ConfigSchema.safeParse({ [section]: { [key]: value } }).error, `${section}.${key}`).toBeUndefined()
      if (typeof value === 'boolean' || key === 'program') continue
      const { parseArg } = optionOf(section, key)!
      for (const text of Array.isArray(value) ? value : [value]) parseArg?.(`${text}`, [])
    }
  })

  it('refuses what the option refuses', () => {
    const wrong = ['', '-1s', '10 s', '1XB', 'warn', 'sarif=', 'worker:0', '5%/iteration', '1KB/request']
    for (const { section, key } of all) {
      const parse = optionOf(section, key)?.parseArg
      if (!parse || key === 'program') continue
      for (const text of wrong) {
        let refuses = false
        try {
          parse(text, [])
        } catch {
          refuses = true
        }
        if (!refuses) continue
        const value = key === 'format' ? [text] : text
        expect(ConfigSchema.safeParse({ [section]: { [key]: value } }).success, `${section}.${key}: ${text}`).toBe(
          false,
        )
      }
    }
  })

  it('stands as JSON schema beside it, for editors (npx vitest -u brings it up to date)', async () => {
    const text = `${JSON.stringify(jsonSchema(), null, 2)}\n`
    await expect(text).toMatchFileSnapshot('../../src/config/config.schema.json')
  })

  it('says the same to editors as to leakscope', () => {
    const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(jsonSchema())
    for (const { section, key, value } of all) expect(validate({ [section]: { [key]: value } }), key).toBe(true)
    expect(validate({ $schema: './x.json', check: {} })).toBe(true)
    for (const wrong of [{ chek: {} }, { check: { maxGrowht: '1KB' } }, { check: { maxGrowth: 'much' } }, []]) {
      expect(validate(wrong)).toBe(false)
    }
  })
})
