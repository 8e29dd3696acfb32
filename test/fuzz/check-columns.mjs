// Whether the reader's columns say what JSON.parse says.

import { deepStrictEqual as same } from 'node:assert'
import { EdgeType, NODE_TYPES, NodeType } from '../../dist/snapshot/meta.js'

/** @throws if a column differs from the parsed file */
export function checkColumns(snapshot, { snapshot: head, nodes, edges, locations = [], strings }) {
  const { meta } = head
  const width = meta.node_fields.length
  const column = (flat, fields, name) => {
    const list = []
    for (let at = fields.indexOf(name); at < flat.length; at += fields.length) list.push(flat[at])
    return list
  }
  const ofNodes = (name) => column(nodes, meta.node_fields, name)
  const nodeTypes = meta.node_types[meta.node_fields.indexOf('type')].map((name) => {
    const known = NODE_TYPES.indexOf(name)
    return known < 0 ? NodeType.unknown : known
  })
  same(
    [...snapshot.nodeType],
    ofNodes('type').map((type) => nodeTypes[type]),
  )
  same([...snapshot.nodeName], ofNodes('name'))
  same([...snapshot.nodeId], ofNodes('id'))
  same([...snapshot.selfSize], ofNodes('self_size'))
  const firstEdge = [0]
  for (const count of ofNodes('edge_count')) firstEdge.push(firstEdge.at(-1) + count)
  same([...snapshot.firstEdge], firstEdge)

  const ofEdges = (name) => column(edges, meta.edge_fields, name)
  const edgeTypes = meta.edge_types[meta.edge_fields.indexOf('type')].map((name) =>
    Object.hasOwn(EdgeType, name) && name !== 'unknown' ? EdgeType[name] : EdgeType.unknown,
  )
  const types = ofEdges('type')
  const packed = ofEdges('to_node').map((to, i) => (to / width) * 16 + edgeTypes[types[i]])
  same([...snapshot.edges], packed)
  same([...snapshot.edgeNameOrIndex], ofEdges('name_or_index'))

  const fields = meta.location_fields ?? ['object_index', 'script_id', 'line', 'column']
  const rows = column(locations, fields, 'object_index').map((object, i) => [
    object / width,
    ...['script_id', 'line', 'column'].map((name) => locations[i * fields.length + fields.indexOf(name)]),
  ])
  const { node, site, script, line, column: columns } = snapshot.locations
  same(
    [...node].map((object, i) => [object, script[site[i]], line[site[i]], columns[site[i]]]),
    rows,
  )

  same(snapshot.strings.count, strings.length)
  strings.forEach((text, i) => void same(snapshot.strings.get(i), text))
  same(snapshot.nodeCount, head.node_count)
  same(snapshot.edgeCount, head.edge_count)
  same(snapshot.extraNativeBytes, head.extra_native_bytes ?? 0)
}
