// Turns DevTools' model of a heap into the golden record that leakscope's numbers are compared with.

import { createHash } from 'node:crypto'
import { NodeFilter, openWithDevTools } from './engine.mjs'

const BLOCK_NODES = 4096
const TOP_NODES = 50
const SAMPLES = 200

/** One column per number that DevTools has for a node; the order in which README.md documents them. */
const COLUMNS = ['id', 'selfSize', 'retainedSize', 'dominatorId', 'distance']

/** The record of one heap, and DevTools' model of it. */
export async function goldenOf(bytes, madeWith) {
  const { heap, complaints } = await openWithDevTools(bytes)
  const snapshot = { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  return { golden: goldenRecord(heap, complaints, madeWith, snapshot), heap }
}

/** What DevTools' Comparison view shows: every class of which nodes came or went. */
export function comparison(before, after) {
  const rows = after.calculateSnapshotDiff('before', before.aggregatesForDiff(after.interfaceDefinitions()))
  return Object.entries(rows)
    .map(([key, row]) => ({
      key,
      name: row.name,
      added: row.addedCount,
      removed: row.removedCount,
      addedSize: row.addedSize,
      removedSize: row.removedSize,
    }))
    .sort((a, b) => b.addedSize - b.removedSize - (a.addedSize - a.removedSize) || (a.key < b.key ? -1 : 1))
}

function goldenRecord(heap, complaints, madeWith, snapshot) {
  const columns = columnsOf(heap)
  const record = (ordinal) => {
    const node = heap.createNode(ordinal * heap.nodeFieldCount)
    const numbers = Object.fromEntries(COLUMNS.map((name) => [name, columns[name][ordinal]]))
    return { ordinal, name: node.rawName(), type: node.type(), className: node.className(), ...numbers }
  }
  const ordinals = Array.from({ length: heap.nodeCount }, (_, ordinal) => ordinal)
  const bySize = (a, b) => columns.retainedSize[b] - columns.retainedSize[a] || a - b
  return {
    format: 1,
    madeWith,
    snapshot,
    nodeCount: heap.nodeCount,
    edgeCount: heap.containmentEdges.length / heap.edgeFieldsCount,
    rootId: heap.rootNode().id(),
    rootRetainedSize: heap.rootNode().retainedSize(),
    // What DevTools shows as the size of the heap: the root's retained size and V8's extra_native_bytes.
    totalSize: heap.totalSize,
    sumOfSelfSizes: columns.selfSize.reduce((sum, size) => sum + size, 0),
    complaints,
    classes: classesOf(heap),
    columns: { blockNodes: BLOCK_NODES, sha256: Object.fromEntries(COLUMNS.map((name) => [name, hashes(columns[name])])) },
    topNodes: [...ordinals].sort(bySize).slice(0, TOP_NODES).map(record),
    sampleNodes: Array.from({ length: SAMPLES }, (_, i) => record(Math.floor((i * heap.nodeCount) / SAMPLES))),
  }
}

function columnsOf(heap) {
  const columns = Object.fromEntries(COLUMNS.map((name) => [name, new Float64Array(heap.nodeCount)]))
  const node = heap.createNode(0)
  const dominator = heap.createNode(0)
  for (let ordinal = 0; ordinal < heap.nodeCount; ordinal++) {
    node.nodeIndex = ordinal * heap.nodeFieldCount
    dominator.nodeIndex = node.dominatorIndex()
    columns.id[ordinal] = node.id()
    columns.selfSize[ordinal] = node.selfSize()
    columns.retainedSize[ordinal] = node.retainedSize()
    columns.dominatorId[ordinal] = dominator.id()
    columns.distance[ordinal] = node.distance()
  }
  return columns
}

function classesOf(heap) {
  return Object.entries(heap.aggregatesWithFilter(new NodeFilter()))
    .map(([key, { name, count, self, maxRet, distance }]) => ({ key, name, count, self, retained: maxRet, distance }))
    .sort((a, b) => b.retained - a.retained || b.self - a.self || (a.key < b.key ? -1 : 1))
}

function hashes(column) {
  const blocks = []
  for (let from = 0; from < column.length; from += BLOCK_NODES) {
    const bytes = new DataView(new ArrayBuffer(8 * Math.min(BLOCK_NODES, column.length - from)))
    for (let at = 0; at < bytes.byteLength; at += 8) bytes.setFloat64(at, column[from + at / 8], true)
    blocks.push(createHash('sha256').update(bytes).digest('hex'))
  }
  return blocks
}
