// A snapshot as plain rows that can be bent at will, and the text that V8 would write of it, true or not.

/**
 * @typedef {object} Model
 * @property {any} head the value of `"snapshot"`; counts are set by {@link modelText} unless `lies` says otherwise
 * @property {number[][]} nodes rows in the order of node_fields
 * @property {number[][]} edges rows; `to_node` holds a node ordinal here
 * @property {number[][]} locations rows; the node is an ordinal here
 * @property {string[]} strings
 * @property {{ nodeCount?: unknown, edgeCount?: unknown }} lies
 */

/** @returns {Model} */
export function parseModel(text) {
  const { snapshot: head, nodes, edges, locations = [], strings } = JSON.parse(text)
  const { node_fields, edge_fields, location_fields = ['', '', '', ''] } = head.meta
  const toNode = edge_fields.indexOf('to_node')
  const place = Math.max(0, location_fields.indexOf('object_index'))
  return {
    head,
    nodes: rows(nodes, node_fields.length),
    edges: rows(edges, edge_fields.length).map((row) => row.with(toNode, row[toNode] / node_fields.length)),
    locations: rows(locations, location_fields.length).map((row) => row.with(place, row[place] / node_fields.length)),
    strings,
    lies: {},
  }
}

function rows(flat, width) {
  const list = []
  for (let at = 0; at < flat.length; at += width) list.push(flat.slice(at, at + width))
  return list
}

/** Where fields stand, by name. */
export function fieldsOf({ head }) {
  const index = (fields) => Object.fromEntries(fields.map((name, i) => [name, i]))
  return {
    node: index(head.meta.node_fields),
    edge: index(head.meta.edge_fields),
    location: index(head.meta.location_fields ?? ['object_index', 'script_id', 'line', 'column']),
  }
}

/** Whether an edge's second field is a number of its own rather than a string's. */
export function isNumbered({ head }, edge, fields) {
  const type = head.meta.edge_types[fields.edge.type][edge[fields.edge.type]]
  return type === 'element' || type === 'hidden'
}

/** The file. Edges must stand in the order of their nodes, and the nodes' edge counts be right, for it to be valid. */
export function modelText(model, random) {
  const { head, nodes, edges, locations, strings, lies } = model
  const fields = fieldsOf(model)
  const width = head.meta.node_fields.length
  const index = (row, at) => row.with(at, row[at] * width)
  const written = {
    ...head,
    node_count: lies.nodeCount ?? nodes.length,
    edge_count: lies.edgeCount ?? edges.length,
  }
  const blank = random?.chance(0.1) ? () => random.pick(['', '', '\n', ' ', '\r\n', '\t', '            ']) : () => '\n'
  const list = (items) => `[${items.map((row) => row.join()).join(`,${blank()}`)}]`
  return (
    `{"snapshot":${JSON.stringify(written)},${blank()}` +
    `"nodes":${list(nodes)},${blank()}` +
    `"edges":${list(edges.map((row) => index(row, fields.edge.to_node)))},${blank()}` +
    `"trace_function_infos":[],"trace_tree":[],"samples":[],${blank()}` +
    `"locations":${list(locations.map((row) => index(row, fields.location.object_index)))},${blank()}` +
    `"strings":[${strings.map((text) => JSON.stringify(text)).join(`,${blank()}`)}]}`
  )
}

/**
 * The heap around the root, cut down: a breadth-first walk that takes only some edges of each node, so that it comes
 * deep, then the edges among the nodes taken.
 * @returns {Model}
 */
export function reduce(model, nodeLimit, random) {
  const fields = fieldsOf(model)
  const firstEdge = [0]
  for (const row of model.nodes) firstEdge.push(firstEdge.at(-1) + row[fields.node.edge_count])
  const edgesOf = (node) => model.edges.slice(firstEdge[node], firstEdge[node + 1])
  const taken = new Map([[0, 0]])
  for (const node of taken.keys()) {
    const out = edgesOf(node)
    const branches = node === 0 ? out.length : Math.min(out.length, 6)
    for (let i = 0; i < branches && taken.size < nodeLimit; i++) {
      const target = (branches === out.length ? out[i] : random.pick(out))[fields.edge.to_node]
      if (!taken.has(target)) taken.set(target, taken.size)
    }
    if (taken.size >= nodeLimit) break
  }
  const strings = new Map()
  const string = (at) => {
    if (!strings.has(at)) strings.set(at, strings.size)
    return strings.get(at)
  }
  // As V8 has it: the first string is a dummy.
  string(0)
  const nodes = []
  const edges = []
  for (const node of taken.keys()) {
    const own = edgesOf(node)
      .filter((edge) => taken.has(edge[fields.edge.to_node]))
      .slice(0, 40)
      .map((edge) => {
        const name = edge[fields.edge.name_or_index]
        return edge
          .with(fields.edge.to_node, taken.get(edge[fields.edge.to_node]))
          .with(fields.edge.name_or_index, isNumbered(model, edge, fields) ? name : string(name))
      })
    edges.push(...own)
    const row = model.nodes[node]
    nodes.push(row.with(fields.node.name, string(row[fields.node.name])).with(fields.node.edge_count, own.length))
  }
  const at = fields.location.object_index
  const locations = model.locations.filter((row) => taken.has(row[at])).map((row) => row.with(at, taken.get(row[at])))
  return {
    head: model.head,
    nodes,
    edges,
    locations,
    strings: [...strings.keys()].map((index) => model.strings[index].slice(0, 200)),
    lies: {},
  }
}

export const copyModel = (model) => structuredClone(model)
