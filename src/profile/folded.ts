// Folded stacks, a line for each: `main (app.js:1);work (app.js:9) 42`; what flame graph tools exchange.

import type { Slices } from '../support/breathing.ts'
import { printable } from '../support/format.ts'
import { apartOf, type CallTree, FrameTable, type LooseTree, malformed } from './call-tree.ts'
import { growableFloats } from './growable.ts'
import { StackTrie } from './stack-trie.ts'

const BREATHE_EVERY = 4096
/** Behind a name, in parentheses: `file:///app/a.js:12:7`. */
const PLACE = /^(.*) \((.+?)(?::(\d{1,9}))(?::(\d{1,9}))?\)$/

/** What the numbers count is not said by the format. */
export function* readFolded(file: string, bytes: Buffer): Slices<LooseTree> {
  const frames = new FrameTable()
  const trie = new StackTrie(file)
  const self = growableFloats()
  const known = new Map<string, number>()
  const frameOf = (text: string): number => {
    let frame = known.get(text)
    if (frame === undefined) {
      const [, name = text, url = '', line = 0, column = 0] = PLACE.exec(text) ?? []
      frame = frames.add(name, url, Number(line), Number(column))
      known.set(text, frame)
    }
    return frame
  }
  let lineNumber = 0
  for (let at = 0; at < bytes.length; ) {
    if (++lineNumber % BREATHE_EVERY === 0) yield
    const newline = bytes.indexOf(0x0a, at)
    const end = newline < 0 ? bytes.length : newline
    const line = bytes.toString('utf8', at, end).trimEnd()
    at = end + 1
    if (line === '' || line.startsWith('#')) continue
    const space = line.lastIndexOf(' ')
    const amount = Number(line.slice(space + 1))
    if (space < 1 || !/^-?\d+(?:\.\d+)?$/.test(line.slice(space + 1)) || !Number.isSafeInteger(Math.trunc(amount))) {
      throw malformed(
        file,
        `line ${lineNumber} is no folded stack: '${printable(line, 60)}'`,
        'Folded stacks are lines such as `main;work 42`. Also read: .cpuprofile, .heapprofile and pprof (.pb.gz).',
      )
    }
    let node = -1
    for (const text of line.slice(0, space).split(';')) node = trie.below(node, frameOf(text), 0)
    while (self.length < trie.size) self.push(0)
    self.add(node, amount)
  }
  return {
    frames,
    ...trie.columns(),
    sampleTypes: [{ name: 'samples', unit: 'count' }],
    self: [self.view()],
    durationMs: null,
    period: null,
    nameOf: (node) => `${node}`,
  }
}

/**
 * @param weights by node: what to write of each, in whole numbers
 * @param base the same of what it is compared with: it stands in front then, as `flamegraph.pl` reads it
 */
export function* foldedLines(tree: CallTree, weights: Float64Array, base?: Float64Array): Generator<string> {
  /** By depth: where the text of that caller's stack ends. */
  const path: string[] = []
  for (let node = 0; node < tree.parent.length; node++) {
    path.length = tree.depth[node]!
    path.push(frameText(tree.frames, tree.frame[node]!))
    const amount = Math.round(weights[node]!)
    const before = Math.round(base?.[node] ?? 0)
    if (amount === 0 && before === 0) continue
    const stack = path.filter((text) => text !== '')
    if (stack.length > 0) yield `${stack.join(';')} ${base ? `${before} ` : ''}${amount}\n`
  }
}

function frameText(frames: FrameTable, frame: number): string {
  if (apartOf(frames, frame) === 'root') return ''
  const url = frames.url(frame)
  const line = frames.line(frame)
  const place = url === '' ? '' : ` (${url}${line > 0 ? `:${line}:${frames.column(frame)}` : ':0'})`
  // What the format would read as its own.
  return printable(`${frames.name(frame)}${place}`).replaceAll(';', ':')
}
