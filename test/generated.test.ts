// The composed programs: the same for the same seed, all that the axes name, code that parses, and marks that are right.

import { Script } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { compose, type Program, VALUES } from '../fixtures/generated/compose.mjs'

const COUNT = 400
const numbers = Array.from({ length: COUNT }, (_, k) => k)
const leaking = numbers.map((k) => compose('1', `L${k}`))
const healthy = numbers.map((k) => compose('1', `H${k}`))
const innocent = numbers.map((k) => compose('1', `L${k}i`))

describe('a seed', () => {
  it('gives the same programs each time, whatever was composed before', () => {
    for (const id of ['L7', 'H7', 'L7i', 'L211']) expect(compose('1', id)).toEqual(compose('1', id))
    expect(compose('1', 'L7')).toEqual(leaking[7])
  })

  it('gives other programs than another seed', () => {
    const other = compose('2', 'L7')
    expect(other.files).not.toEqual(leaking[7]!.files)
  })
})

describe('all values of the axes', () => {
  const missing = (values: readonly string[], programs: readonly Program[], axis: string) => {
    const seen = new Set(programs.map(({ axes }) => axes[axis]))
    return values.filter((value) => !seen.has(value))
  }

  it.each(Object.keys(VALUES.leaking))('%s: come up among a few hundred that leak', (axis) => {
    expect(missing(VALUES.leaking[axis]!, leaking, axis)).toEqual([])
  })

  it.each(Object.keys(VALUES.healthy))('%s: come up among a few hundred that are healthy', (axis) => {
    expect(missing(VALUES.healthy[axis]!, healthy, axis)).toEqual([])
  })

  it('innocent lines of each kind are added', () => {
    const added = new Set(innocent.flatMap(({ axes }) => axes.innocent!.split(' + ')))
    expect([...added].toSorted()).toEqual(VALUES.innocent.toSorted())
  })
})

describe('the files', () => {
  it('are programs that V8 compiles, in which no name is declared twice', () => {
    const problems = [...leaking, ...healthy, ...innocent].flatMap(({ id, files }) =>
      files.flatMap(({ name, text }) =>
        (name.endsWith('.ts') ? [] : (complaint(text) ?? [])).map((why) => `${id} ${name}: ${why}`),
      ),
    )
    expect(problems).toEqual([])
  })

  it('have no traces of how they were composed', () => {
    for (const { files } of [...leaking, ...innocent])
      for (const { text } of files) expect(text).not.toMatch(/[§‹›]|\[object/)
  })
})

describe('the marks', () => {
  it('stand on the lines that they are said to be on', () => {
    for (const { id, files, marks } of leaking) {
      expect(marks.length, id).toBeGreaterThan(0)
      for (const { file, line, text, role } of marks) {
        const code = files.find(({ name }) => name === file)!.text.split('\n')
        expect(code[line - 1]!.trim(), `${id} ${role}`).toBe(text)
      }
    }
  })

  it('say where things are added, and where that is too far from it to be taken for the same, where they are made', () => {
    for (const { id, marks } of leaking) {
      const added = marks.filter(({ role }) => role === 'add' || role === 'call')
      expect(added.length, id).toBeGreaterThan(0)
      for (const made of marks.filter(({ role }) => role === 'make'))
        for (const { file, line } of added)
          expect(file !== made.file || Math.abs(line - made.line) > 3, `${id} ${made.text}`).toBe(true)
    }
  })

  it('are those of the same lines when innocent ones are added', () => {
    const texts = ({ marks }: Program) => marks.map(({ role, text }) => `${role} ${text}`)
    for (const k of numbers) expect(texts(innocent[k]!), `L${k}`).toEqual(texts(leaking[k]!))
  })
})

/** Why it does not compile, as a list of one. */
function complaint(text: string): string[] | undefined {
  const body = text
    .replace(/^import \{ (.*) \} from .*$/gm, (_, names: string) => `const { ${names.replaceAll(' as ', ': ')} } = {};`)
    .replace(/^export /gm, '')
  try {
    new Script(`async () => {\n${body}\n}`)
    return undefined
  } catch (error) {
    return [(error as Error).message]
  }
}
