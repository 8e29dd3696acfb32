// Makes a huge snapshot without a huge process: writes copies of a heap side by side under one new root.
//
//   node multiply.mjs <snapshot> <copies> <output>
//
// Each copy is the whole heap with a root of its own, which hangs below the new root. The result is laid out as V8
// does it, to the byte: one row a line, the line's end before the comma.

import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { countStrings, eachRow, layOut, piecesOf } from './snapshot-file.mjs'

const MAX_ID = 2 ** 32 - 1

/** Memory is a few buffers, whatever the size; on any error no output is left. */
export function multiply(file, copies, output) {
  const source = openSync(file, 'r')
  try {
    const target = openSync(output, 'w', 0o600)
    try {
      writeCopies(source, copies, new Output(target))
    } catch (error) {
      rmSync(output, { force: true })
      throw error
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

function writeCopies(source, copies, out) {
  const parts = layOut(source)
  const { head, between } = parts
  if (/\d/.test(between[1])) throw new Error('a snapshot with allocation traces or samples cannot be multiplied')
  const strings = countStrings(source, parts.strings)
  const nodeWidth = head.meta.node_fields.length

  const each = function* (span, width, change) {
    for (let copy = 0; copy < copies; copy++) yield { span, width, change: (row) => change(row, copy) }
  }
  const write = (firstRow, ...turns) => {
    if (firstRow) out.row(firstRow)
    for (const { span, width, change } of turns) {
      eachRow(source, span, width, (row) => {
        change(row)
        out.row(row)
      })
    }
    out.endOfRows()
  }

  const nodes = nodeChanges(head, surveyNodes(source, parts.nodes, head), strings, copies)
  out.text(`{"snapshot":${JSON.stringify(headOf(head, copies))},\n"nodes":[`)
  write(nodes.root, ...each(parts.nodes, nodeWidth, nodes.change))
  out.text(between[0])
  const edges = edgeChanges(head, strings)
  for (let copy = 0; copy < copies; copy++) out.row(edges.toRoot(copy))
  write(undefined, ...each(parts.edges, head.meta.edge_fields.length, edges.change))
  out.text(between[1])
  const objectIndex = head.meta.location_fields.indexOf('object_index')
  write(
    undefined,
    ...each(parts.locations, head.meta.location_fields.length, (row, copy) => {
      row[objectIndex] += firstOrdinal(head, copy) * nodeWidth
    }),
  )
  out.text(between[2])
  for (let copy = 0; copy < copies; copy++) {
    if (copy > 0) out.text(',\n')
    for (const piece of piecesOf(source, parts.strings)) out.bytes(piece)
  }
  out.text(between[3])
  out.flush()
}

/** Where a copy's nodes begin: behind the new root and the copies before it. */
function firstOrdinal(head, copy) {
  return 1 + copy * head.node_count
}

function headOf(head, copies) {
  const multiplied = {
    ...head,
    node_count: copies * head.node_count + 1,
    edge_count: copies * (head.edge_count + 1),
  }
  if (head.extra_native_bytes !== undefined) multiplied.extra_native_bytes = copies * head.extra_native_bytes
  return multiplied
}

/** The root's row and the largest odd id. */
function surveyNodes(source, span, { meta }) {
  const id = meta.node_fields.indexOf('id')
  let root
  let maxOddId = 1
  eachRow(source, span, meta.node_fields.length, (row) => {
    root ??= [...row]
    if (row[id] % 2 === 1 && row[id] > maxOddId) maxOddId = row[id]
  })
  return { root, maxOddId }
}

/**
 * Odd ids, which V8 counts up, are shifted from copy to copy. Even ones, of native objects, are addresses that may be
 * anywhere below 2^32, so they are numbered anew.
 */
function nodeChanges({ meta }, { root, maxOddId }, strings, copies) {
  const [name, id] = ['name', 'id'].map((field) => meta.node_fields.indexOf(field))
  const stride = maxOddId + 1
  if (copies * stride + 2 > MAX_ID) throw new Error(`${copies} copies have ids beyond 2^32`)
  let evenId = 0
  root[id] = 1
  root[meta.node_fields.indexOf('self_size')] = 0
  root[meta.node_fields.indexOf('edge_count')] = copies
  return {
    root,
    change(row, copy) {
      row[name] += copy * strings
      if (row[id] % 2 === 1) row[id] += 2 + copy * stride
      else {
        evenId += 2
        row[id] = evenId
      }
    },
  }
}

function edgeChanges(head, strings) {
  const { node_fields: nodeFields, edge_fields: edgeFields, edge_types: edgeTypes } = head.meta
  const [type, name, to] = ['type', 'name_or_index', 'to_node'].map((field) => edgeFields.indexOf(field))
  const numbered = edgeTypes[type].map((word) => word === 'element' || word === 'hidden')
  return {
    toRoot(copy) {
      const row = [0, 0, 0]
      row[type] = edgeTypes[type].indexOf('element')
      row[name] = copy + 1
      row[to] = firstOrdinal(head, copy) * nodeFields.length
      return row
    },
    change(row, copy) {
      if (!numbered[row[type]]) row[name] += copy * strings
      row[to] += firstOrdinal(head, copy) * nodeFields.length
    },
  }
}

/** Writes rows as V8 does, through one buffer. */
class Output {
  #fd
  #buffer = Buffer.allocUnsafe(4 << 20)
  #at = 0
  #between = false

  constructor(fd) {
    this.#fd = fd
  }

  row(fields) {
    if (this.#at > this.#buffer.length - 256) this.flush()
    if (this.#between) this.#buffer[this.#at++] = 44
    this.#between = true
    for (let i = 0; i < fields.length; i++) {
      if (i > 0) this.#buffer[this.#at++] = 44
      this.#number(fields[i])
    }
    this.#buffer[this.#at++] = 10
  }

  endOfRows() {
    this.#between = false
  }

  text(text) {
    this.bytes(Buffer.from(text))
  }

  bytes(bytes) {
    this.flush()
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
  }

  flush() {
    for (let at = 0; at < this.#at; ) at += writeSync(this.#fd, this.#buffer, at, this.#at - at)
    this.#at = 0
  }

  #number(value) {
    let digits = 1
    for (let limit = 10; limit <= value; limit *= 10) digits++
    for (let at = this.#at + digits; at-- > this.#at; value = Math.floor(value / 10)) {
      this.#buffer[at] = 48 + (value % 10)
    }
    this.#at += digits
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, copies, output] = process.argv.slice(2)
  multiply(file, Number(copies), output)
}
