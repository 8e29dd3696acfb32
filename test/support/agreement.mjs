// How far two snapshots of one heap agree: what one has of the other, and what it has beside.

import { EdgeType, NodeType } from '../../dist/snapshot/meta.js'
import { edgeTarget, edgeType } from '../../dist/snapshot/snapshot.js'

/** @param own what is held against the `reference` */
export function agreementOf(own, reference) {
  const [a, b] = [tally(own), tally(reference)]
  return Object.fromEntries(Object.keys(a).map((key) => [key, compare(a[key], b[key])]))
}

export const showAgreement = ({ recall, precision }) => `${(100 * recall).toFixed(2)}/${(100 * precision).toFixed(2)}`

function compare(own, reference) {
  let both = 0
  let [ownCount, count] = [0, 0]
  for (const [key, number] of reference) {
    count += number
    both += Math.min(number, own.get(key) ?? 0)
  }
  for (const number of own.values()) ownCount += number
  return { recall: both / count, precision: both / ownCount, count }
}

function tally(snapshot) {
  const { nodeCount, nodeType, nodeName, selfSize, firstEdge, edges, edgeNameOrIndex, locations, strings } = snapshot
  const counts = {
    objects: new Map(),
    objectBytes: new Map(),
    closures: new Map(),
    closurePlaces: new Map(),
    strings: new Map(),
    properties: new Map(),
    contexts: new Map(),
    elements: new Map(),
  }
  const add = (to, key, number = 1) => void to.set(key, (to.get(key) ?? 0) + number)
  const texts = new Map()
  const text = (index) => {
    let known = texts.get(index)
    if (known === undefined) {
      known = strings.get(index)
      texts.set(index, known)
    }
    return known
  }
  const kinds = new Map([
    [EdgeType.property, counts.properties],
    [EdgeType.context, counts.contexts],
    [EdgeType.element, counts.elements],
  ])
  for (let node = 0; node < nodeCount; node++) {
    const name = text(nodeName[node])
    const type = nodeType[node]
    if (type === NodeType.object) {
      add(counts.objects, name)
      add(counts.objectBytes, name, selfSize[node])
    } else if (type === NodeType.closure) add(counts.closures, name)
    else if (type === NodeType.string) add(counts.strings, name)
    // Roots are called otherwise, and what native code has is not told of from outside.
    if (type === NodeType.synthetic || type === NodeType.native) continue
    for (let edge = firstEdge[node]; edge < firstEdge[node + 1]; edge++) {
      const kind = edgeType(edges[edge])
      const to = kinds.get(kind)
      const target = nodeType[edgeTarget(edges[edge])]
      if (to) add(to, `${name}.${kind === EdgeType.element ? '' : text(edgeNameOrIndex[edge])} ${target}`)
    }
  }
  for (let row = 0; row < locations.node.length; row++) {
    const node = locations.node[row]
    if (nodeType[node] !== NodeType.closure) continue
    const site = locations.site[row]
    const place = `${locations.script[site]}:${locations.line[site]}:${locations.column[site]}`
    add(counts.closurePlaces, `${text(nodeName[node])} ${place}`)
  }
  return counts
}
