// A heap that leaks: the input, and what it becomes when one of its objects is given copies of what it holds.

import { copyModel, fieldsOf, isNumbered, modelText, parseModel } from './model.mjs'

/**
 * @param {Buffer} bytes a heap that is accepted
 * @returns {Buffer[]} three heaps of one process, the first as it was; empty when nothing in it can be copied
 */
export function growingSeries(bytes, random) {
  let model
  try {
    model = parseModel(bytes.toString())
  } catch {
    // Numbers with leading zeros, say, which may be accepted and are no JSON.
    return []
  }
  const fields = fieldsOf(model)
  const { edge_count: count, id, self_size: size } = fields.node
  const { to_node: to, name_or_index: name } = fields.edge
  if (model.edges.length === 0) return []
  const copied = random.below(model.edges.length)
  const firstEdge = [0]
  for (const row of model.nodes) firstEdge.push(firstEdge.at(-1) + row[count])
  const holder = firstEdge.findIndex((first) => first > copied) - 1
  const kind = model.edges[copied]
  const thing = kind[to]
  const own = model.edges.slice(firstEdge[thing], firstEdge[thing + 1])
  const numbered = isNumbered(model, kind, fields)
  let nextId = Math.max(...model.nodes.map((row) => row[id])) + 2

  const series = [bytes]
  const copies = 100 + random.below(300)
  for (let step = 1; step <= 2; step++) {
    const first = model.nodes.length
    for (let i = 0; i < copies; i++, nextId += 2) {
      model.nodes.push(model.nodes[thing].with(id, nextId).with(size, 100).with(count, own.length))
      model.edges.push(...own)
    }
    const links = Array.from({ length: copies }, (_, i) =>
      kind.with(to, first + i).with(name, numbered ? kind[name] + first + i : kind[name]),
    )
    model.edges.splice(endOf(model, holder, count), 0, ...links)
    model.nodes[holder] = model.nodes[holder].with(count, model.nodes[holder][count] + copies)
    series.push(Buffer.from(modelText(copyModel(model))))
  }
  return series
}

/** Behind the edges of a node. */
function endOf({ nodes }, node, count) {
  let end = 0
  for (let i = 0; i <= node; i++) end += nodes[i][count]
  return end
}
