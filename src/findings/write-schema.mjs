// The build's step that writes dist/report.schema.json: the Report as JSON Schema, each field with the comment that stands
// above it in the source.

import { readFileSync, writeFileSync } from 'node:fs'
import { tsPlugin } from '@sveltejs/acorn-typescript'
import { Parser } from 'acorn'
import { z } from 'zod'

const NAMES = ['report', 'check', 'confidence', 'baseline-schema']
const read = (name) => readFileSync(new URL(`./${name}.ts`, import.meta.url), 'utf8')
const load = (name) => import(new URL(`../../dist/findings/${name}.js`, import.meta.url).href)

/** By file, the initial value of each constant by its name. */
const scopes = []
/** By initial value, or property: the comment above it. */
const comments = new Map()
for (const name of NAMES) {
  const source = read(name)
  const found = []
  const program = Parser.extend(tsPlugin()).parse(source, {
    ...{ ecmaVersion: 'latest', sourceType: 'module' },
    onComment: (isBlock, text, _, end) => isBlock && found.push({ text, end }),
  })
  const commentAt = (start) => {
    const above = found.find(({ end }) => end < start && source.slice(end, start).trim() === '')
    return above?.text
      .replace(/^\*|^\s*\*\s/gm, ' ')
      .replace(/\s+/g, ' ')
      .trim()
  }
  const scope = new Map()
  scopes.push(scope)
  for (const statement of program.body) {
    const declaration = statement.declaration ?? statement
    if (declaration.type !== 'VariableDeclaration') continue
    for (const { id, init } of declaration.declarations) {
      scope.set(id.name, init)
      comments.set(init, commentAt(statement.start))
      forEachProperty(init, (property) => comments.set(property, commentAt(property.start)))
    }
  }
}

const schemas = Object.assign({}, ...(await Promise.all(NAMES.map(load))))
const registry = z.registry()
for (const [name, schema] of Object.entries(schemas)) {
  if (name.endsWith('Schema') && name !== 'ReportSchema') registry.add(schema, { id: name.replace(/Schema$/, '') })
}
// As a reader of reports needs it: a newer leakscope may add fields.
const schema = z.toJSONSchema(schemas.ReportSchema, { metadata: registry, io: 'input' })
for (const [name, each] of [['Report', schema], ...Object.entries(schema.$defs)]) {
  const scope = scopes.find((it) => it.has(`${name}Schema`))
  describe(scope.get(`${name}Schema`), each, scope)
}
const whole = {
  $schema: schema.$schema,
  title: 'Report',
  description: 'What leakscope prints with --json, schema version 1. Lines and columns count from 1, sizes are bytes.',
  ...schema,
}
writeFileSync(new URL('../../dist/report.schema.json', import.meta.url), `${JSON.stringify(whole, null, 2)}\n`)

function forEachProperty(node, visit) {
  if (node === null || typeof node !== 'object') return
  if (Array.isArray(node)) for (const each of node) forEachProperty(each, visit)
  else if (node.type !== undefined) {
    if (node.type === 'Property') visit(node)
    for (const [key, value] of Object.entries(node)) if (key !== 'loc') forEachProperty(value, visit)
  }
}

/** Gives the fields of `json` the comments that they have where `expression` makes its schema. */
function describe(expression, json, scope) {
  for (const [name, property] of fieldsOf(expression, scope)) {
    const field = partWith(json, 'properties')?.properties[name]
    if (!field) continue
    const comment = comments.get(property) ?? comments.get(scope.get(baseOf(property.value)?.name))
    if (comment) field.description = comment
    describe(property.value, field, scope)
  }
}

/** The properties of the object that an expression such as `z.array(z.object({ … })).nullable()` makes; an extended one's too. */
function fieldsOf(expression, scope) {
  if (expression?.type !== 'CallExpression') return []
  const { callee, arguments: values } = expression
  const own = values.flatMap((value) =>
    value.type === 'ObjectExpression'
      ? value.properties.filter(({ type }) => type === 'Property').map((it) => [it.key.name, it])
      : fieldsOf(value, scope),
  )
  const base = callee.type === 'MemberExpression' ? callee.object : undefined
  if (base?.type !== 'Identifier') return [...fieldsOf(base, scope), ...own]
  return [...(callee.property.name === 'extend' ? fieldsOf(scope.get(base.name), scope) : []), ...own]
}

/** The constant that an expression such as `bytes.nullable()` begins with. */
function baseOf(expression) {
  if (expression.type === 'Identifier') return expression
  if (expression.type === 'CallExpression') return baseOf(expression.callee)
  return expression.type === 'MemberExpression' ? baseOf(expression.object) : undefined
}

/** Where the fields are, in what may be null, a list, or a table by name. */
function partWith(json, key) {
  if (json === undefined || typeof json !== 'object' || json.$ref) return undefined
  if (json[key]) return json
  for (const inner of [...(json.anyOf ?? []), json.items, json.additionalProperties]) {
    const part = partWith(inner, key)
    if (part) return part
  }
  return undefined
}
