// Flat and cumulative figures, callers and callees, focus, and taking one profile off another.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CallTree } from '../../src/profile/call-tree.ts'
import { group } from '../../src/profile/group.ts'
import { overlay } from '../../src/profile/merge.ts'
import { peek } from '../../src/profile/peek.ts'
import { tableOf } from '../../src/profile/table.ts'
import { type Focus, weigh } from '../../src/profile/weigh.ts'
import { folded } from '../support/profiles.ts'

function table(tree: CallTree, { focus = {}, cum = false }: { focus?: Focus; cum?: boolean } = {}) {
  const weighed = weigh(tree, tree.self[0]!, focus)
  return tableOf(tree, weighed, group(tree, 'function'), cum).map(({ name, flat, cum }) => [name, flat, cum])
}

describe('the table', () => {
  test('has what each function took itself, and with what it called', () => {
    const tree = folded('main;read 30\nmain;read;parse 50\nmain 5\nother;parse 10\n')
    expect(table(tree)).toEqual(
      [
        ['parse', 60, 60],
        ['read', 30, 80],
        ['other', 0, 10],
        ['main', 5, 85],
      ].sort((a, b) => Number(b[1]) - Number(a[1])),
    )
    expect(table(tree, { cum: true }).map(([name]) => name)).toEqual(['main', 'read', 'parse', 'other'])
  })

  test('counts a function that calls itself once', () => {
    expect(table(folded('f;f;f;g 10\nf;f 5\nf;g;f 3\n'))).toEqual([
      ['g', 10, 13],
      ['f', 8, 18],
    ])
  })

  test('keeps idle time and the garbage collector apart', () => {
    const tree = folded('(idle) 70\n(garbage collector) 5\n(program) 2\nmain 23\n')
    const { apart, total } = weigh(tree, tree.self[0]!, {})
    expect({ apart, total }).toEqual({ apart: { idle: 70, program: 2, 'garbage collector': 5 }, total: 30 })
    expect(table(tree)).toEqual([['main', 23, 23]])
  })

  test('takes stacks that are asked for, and leaves out those that are not wanted', () => {
    const tree = folded('main;read;parse 5\nmain;write 7\nother (file:///app/other.js:3:1) 2\n')
    expect(table(tree, { focus: { focus: /read/ } }).map(([name, , cum]) => [name, cum])).toEqual([
      ['parse', 5],
      ['main', 5],
      ['read', 5],
    ])
    expect(table(tree, { focus: { focus: /other\.js/ } })).toEqual([['other', 2, 2]])
    expect(table(tree, { focus: { ignore: /parse|write/ } })).toEqual([['other', 2, 2]])
  })

  test('says of any tree what counting stack by stack says', () => {
    const stack = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(stack, fc.integer({ min: 1, max: 99 })), { minLength: 1, maxLength: 30 }),
        (stacks) => {
          const flat = new Map<string, number>()
          const cum = new Map<string, number>()
          const calls = new Map<string, number>()
          const add = (map: Map<string, number>, key: string, amount: number) =>
            map.set(key, (map.get(key) ?? 0) + amount)
          for (const [names, amount] of stacks) {
            add(flat, names.at(-1)!, amount)
            for (const name of new Set(names)) add(cum, name, amount)
            for (const call of new Set(names.map((name, i) => `${names[i - 1] ?? ''}>${name}`)))
              add(calls, call, amount)
          }
          const tree = folded(stacks.map(([names, amount]) => `${names.join(';')} ${amount}\n`).join(''))
          const rows = table(tree)
          expect(Object.fromEntries(rows.map(([name, own]) => [name, own]))).toEqual(
            Object.fromEntries([...cum.keys()].map((name) => [name, flat.get(name) ?? 0])),
          )
          expect(Object.fromEntries(rows.map(([name, , all]) => [name, all]))).toEqual(Object.fromEntries(cum))

          const grouped = group(tree, 'function')
          const all = new Set(grouped.groups.keys())
          const seen = peek(tree, { self: tree.self[0]! }, grouped, all).flatMap(({ row, callers, fromRoot }) => [
            ...callers.map(({ name, amount }) => [`${name}>${row.name}`, amount] as const),
            ...(fromRoot ? [[`>${row.name}`, fromRoot] as const] : []),
          ])
          expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(calls))
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('rows', () => {
  const tree = folded(
    [
      'own (file:///app/a.js:1:1);lib (file:///app/node_modules/@x/y/lib.js:4:2);read (node:fs:9:1) 4',
      'own (file:///app/a.js:1:1);lib (file:///app/node_modules/@x/y/lib.js:4:2) 3',
      'own (file:///app/a.js:1:1);other (file:///app/a.js:8:1) 2',
      'push 1\n',
    ].join('\n'),
  )
  const names = (by: 'file' | 'package' | 'line') =>
    tableOf(tree, { self: tree.self[0]! }, group(tree, by), false).map(({ name, line, flat, cum }) =>
      by === 'line' ? [name, line, flat, cum] : [name, flat, cum],
    )
  test('stand for packages', () => {
    expect(names('package')).toEqual([
      ['(node)', 4, 4],
      ['@x/y', 3, 7],
      ['(the program)', 2, 9],
      ['(native)', 1, 1],
    ])
  })
  test('stand for files', () => {
    expect(names('file')[2]).toEqual(['file:///app/a.js', 2, 9])
  })
  test('stand for lines', () => {
    expect(names('line')).toContainEqual(['other', 8, 2, 2])
  })
})

describe('a profile less another', () => {
  const difference = (current: string, base: string) => {
    const both = overlay(folded(current), folded(base))
    const self = both.current[0]!.map((value, node) => value - both.base[0]![node]!)
    return tableOf(both.tree, { self }, group(both.tree, 'function'), false).map(({ name, flat, cum }) => [
      name,
      flat,
      cum,
    ])
  }

  test('shows what is more and what is less', () => {
    expect(difference('main;a 10\nmain;b 4\nmain;new 3\n', 'main;a 10\nmain;b 9\nmain;gone 1\n')).toEqual([
      ['b', -5, -5],
      ['new', 3, 3],
      ['gone', -1, -1],
      ['main', 0, -3],
    ])
  })

  test('knows functions that moved within their file, or with it', () => {
    const moved = difference(
      'log (file:///app/fixed.js:12:3) 4\nrun (file:///app/a.js:9:1) 2\n',
      'log (file:///app/leaky.js:7:3) 9\nrun (file:///app/a.js:5:1) 2\n',
    )
    expect(moved).toEqual([['log', -5, -5]])
  })

  test('keeps functions apart of which there are several', () => {
    const two = 'get (file:///app/a.js:1:1) 1\nget (file:///app/a.js:5:1) 1\n'
    expect(difference(two, 'get (file:///app/a.js:3:1) 5\n')).toHaveLength(3)
    expect(difference('(anonymous) (file:///app/a.js:4:1) 1\n', '(anonymous) (file:///app/a.js:2:1) 5\n')).toHaveLength(
      2,
    )
  })
})
