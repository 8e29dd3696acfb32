// report.schema.json, which is published: it says what every field is, and real reports are as it says.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { describe, expect, it, test } from 'vitest'
import { analyze, diff } from '../../src/commands/for-programs.ts'
import type { Report } from '../../src/findings/report.ts'
import { serviceHeap } from '../support/service.ts'
import { temporaryFolder } from '../support/target.ts'
import { CHECK, EVIL_FINDING, FINDING, NOWHERE, reportWith } from './reports.ts'

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly $defs?: Readonly<Record<string, Schema>>
  readonly description?: string
  readonly additionalProperties?: Schema | boolean
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
}

const text = readFileSync('dist/report.schema.json', 'utf8')
const schema: Schema = JSON.parse(text)

/** Visits the schema and all that is inside of it. */
function visit(each: Schema, path: string, onSchema: (each: Schema, path: string) => void): void {
  onSchema(each, path)
  for (const [name, inner] of Object.entries({ ...each.properties, ...each.$defs })) {
    visit(inner, `${path}.${name}`, onSchema)
  }
  const parts = [...(each.anyOf ?? []), each.items, each.additionalProperties]
  for (const part of parts) if (typeof part === 'object') visit(part, path, onSchema)
}

test('a change of the schema is seen in review (vitest -u)', async () => {
  await expect(text).toMatchFileSnapshot('report.schema.json')
})

test('every field has a line that says what it is', () => {
  const silent: string[] = []
  let fields = 0
  visit(schema, 'Report', ({ properties = {} }, path) => {
    for (const [name, { description }] of Object.entries(properties)) {
      fields++
      if (!description) silent.push(`${path}.${name}`)
    }
  })
  expect(silent).toEqual([])
  expect(fields).toBeGreaterThan(200)
})

describe('reports are as the schema says, with no field that it does not know', () => {
  const strict: Schema = structuredClone(schema)
  visit(strict, '', (each) => {
    if (each.properties) Object.assign(each, { additionalProperties: false })
  })
  const ajv = new Ajv2020({ allErrors: true })
  formats.default(ajv)
  const validate = ajv.compile(strict)
  const check = (report: Report) => {
    validate(JSON.parse(JSON.stringify(report)))
    expect(validate.errors).toBeNull()
  }

  it.each([
    ['empty', reportWith({})],
    ['with findings', reportWith({ findings: [FINDING, NOWHERE, EVIL_FINDING] })],
    ['with a check', reportWith({ check: CHECK })],
  ])('%s', (_, report) => check(report))

  it('of a real diff, and of a real analyze', async () => {
    const folder = temporaryFolder()
    const files = [100, 500, 900].map((logs) => {
      const file = join(folder, `${logs}.heapsnapshot`)
      writeFileSync(file, serviceHeap({ logs }))
      return file
    })
    const compared = await diff(files)
    expect(compared.findings).toHaveLength(1)
    expect(compared.growth!.clusters.length).toBeGreaterThan(0)
    check(compared)
    const looked = await analyze(files[2]!)
    expect(looked.heap!.dominators.length).toBeGreaterThan(0)
    check(looked)
  })

  it('and not otherwise', () => {
    const report = reportWith({ findings: [FINDING] })
    for (const wrong of [
      { ...report, schemaVersion: 2 },
      { ...report, more: 1 },
      { ...report, findings: [{ ...FINDING, confidence: '90 %' }] },
      { ...report, findings: [{ ...FINDING, retainingPath: [{ edge: '' }] }] },
    ]) {
      expect(validate(wrong)).toBe(false)
    }
  })
})
