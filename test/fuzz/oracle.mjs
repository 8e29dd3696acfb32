// A second opinion on a file: JSON.parse and a strict check of the whole, sharing no code with the reader.

const MAX_UINT32 = 2 ** 32 - 1
const UNUSED = ['trace_function_infos', 'trace_tree', 'samples']
const NUMBERS = ['nodes', 'edges', 'locations']
const BLANKS = /[ \t\r\n]{15}/

/**
 * What the reader has to say of the file:
 * - `valid`: accept it, and its columns are these;
 * - `invalid`: refuse it;
 * - `open`: it may do either, as the file is right but written as no V8 writes it (`1e2` for 100, blanks by the dozen);
 *   if it accepts, its columns are these.
 *
 * Two leniencies are documented in the reader: the insides of sections that nothing is read from are not looked at, and
 * zeros in front of a number are let pass.
 * @param {Uint8Array} bytes
 */
export function consult(bytes) {
  const invalid = (why) => ({ verdict: 'invalid', why })
  // Byte by byte, so that offsets are the file's.
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const sections = topLevel(raw)
  if (!sections) return invalid('no object of sections')
  const keys = sections.map(({ key }) => key)
  if (keys.slice(0, 3).join() !== 'snapshot,nodes,edges' || keys.at(-1) !== 'strings')
    return invalid('order of sections')
  const between = keys.slice(3, -1)
  if (between.some((key) => key !== 'locations' && !UNUSED.includes(key))) return invalid('unknown section')
  if (between.filter((key) => key === 'locations').length > 1) return invalid('locations twice')

  let known = raw
  for (const { key, start, end } of sections.toReversed()) {
    const value = raw.slice(start, end)
    const read = UNUSED.includes(key) ? '[]' : NUMBERS.includes(key) ? value.replace(/(?<!\d)0+(?=\d)/g, '') : value
    known = known.slice(0, start) + read + known.slice(end)
  }
  let file
  try {
    file = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(known, 'latin1')))
  } catch (error) {
    return invalid(error.message)
  }
  const problem = headProblem(file.snapshot) ?? rowsProblem(file)
  if (problem) return invalid(problem)
  const spelled = sections
    .filter(({ key }) => NUMBERS.includes(key))
    .every(({ start, end }) => {
      const text = raw.slice(start, end)
      return /^\[[\d,\s]*\]$/.test(text) && !BLANKS.test(text) && !/(?<!\d)0\d/.test(text)
    })
  const { start, end } = sections.at(-1)
  const aired = /(?:\[|,)\s{15}|\s{15}(?:,|\])/.test(raw.slice(start, end).replace(/"(?:[^"\\]|\\.)*"/gs, ''))
  return { verdict: spelled && !aired ? 'valid' : 'open', file }
}

/** The keys of the outermost object as they are spelled, and where their values stand. */
function topLevel(text) {
  const sections = []
  const blank = /[ \t\r\n]*/y
  const skip = (at) => {
    blank.lastIndex = at
    blank.exec(text)
    return blank.lastIndex
  }
  let at = skip(0)
  if (text[at] !== '{') return undefined
  at = skip(at + 1)
  for (;;) {
    if (text[at] !== '"') return undefined
    const quote = text.indexOf('"', at + 1)
    const key = text.slice(at + 1, quote)
    at = skip(quote + 1)
    if (quote < 0 || text[at] !== ':') return undefined
    const start = skip(at + 1)
    const end = valueEnd(text, start)
    if (end < 0) return undefined
    sections.push({ key, start, end })
    at = skip(end)
    if (text[at] === '}') return sections
    if (text[at] !== ',') return undefined
    at = skip(at + 1)
  }
}

/** Behind an object's or array's last bracket, whichever kind closes it. */
function valueEnd(text, start) {
  const token = /["[\]{}]/g
  let depth = 0
  token.lastIndex = start
  if (text[start] !== '[' && text[start] !== '{') return -1
  for (let match = token.exec(text); match; match = token.exec(text)) {
    if (match[0] === '"') {
      const string = /(?:[^"\\]|\\.)*"/sy
      string.lastIndex = token.lastIndex
      if (!string.exec(text)) return -1
      token.lastIndex = string.lastIndex
    } else if (match[0] === '[' || match[0] === '{') depth++
    else if (--depth === 0) return token.lastIndex
  }
  return -1
}

const isCount = (value) => Number.isSafeInteger(value) && value >= 0
const isText = (value) => typeof value === 'string'
const isList = (value, most, item) =>
  Array.isArray(value) && value.length > 0 && value.length <= most && value.every(item)

function headProblem(head) {
  const meta = head?.meta
  if (Array.isArray(head) || typeof meta !== 'object' || meta === null) return 'meta'
  for (const [fields, types, wanted] of [
    ['node_fields', 'node_types', ['type', 'name', 'id', 'self_size', 'edge_count']],
    ['edge_fields', 'edge_types', ['type', 'name_or_index', 'to_node']],
  ]) {
    if (!isList(meta[fields], 32, isText)) return fields
    if (!wanted.every((name) => meta[fields].includes(name))) return fields
    const isTypes = (item) => isText(item) || (Array.isArray(item) && item.length <= 200 && item.every(isText))
    if (!isList(meta[types], Number.POSITIVE_INFINITY, isTypes)) return types
    if (!Array.isArray(meta[types][meta[fields].indexOf('type')])) return types
  }
  if ('location_fields' in meta) {
    if (!isList(meta.location_fields, 32, isText)) return 'location_fields'
    if (!['object_index', 'script_id', 'line', 'column'].every((name) => meta.location_fields.includes(name))) {
      return 'location_fields'
    }
  }
  if (!isCount(head.node_count) || head.node_count < 1 || head.node_count > 2 ** 28) return 'node_count'
  if (!isCount(head.edge_count)) return 'edge_count'
  if ('extra_native_bytes' in head && !isCount(head.extra_native_bytes)) return 'extra_native_bytes'
  return undefined
}

function rowsProblem({
  snapshot: { meta, node_count, edge_count, extra_native_bytes },
  nodes,
  edges,
  locations,
  strings,
}) {
  if (!Array.isArray(strings) || !strings.every(isText)) return 'strings'
  for (const list of [nodes, edges, locations ?? []]) {
    if (!Array.isArray(list) || !list.every(isCount)) return 'numbers'
  }
  const { node_fields, edge_fields, location_fields } = meta
  const width = node_fields.length
  if (nodes.length !== node_count * width) return 'node_count'
  if (edges.length !== edge_count * edge_fields.length) return 'edge_count'
  const node = (name) => node_fields.indexOf(name)
  let bytes = BigInt(extra_native_bytes ?? 0)
  let promised = 0
  for (let at = 0; at < nodes.length; at += width) {
    if (nodes[at + node('type')] >= meta.node_types[node('type')].length) return 'node type'
    if (nodes[at + node('name')] >= strings.length) return 'node name'
    if (nodes[at + node('id')] > MAX_UINT32) return 'node id'
    bytes += BigInt(nodes[at + node('self_size')])
    promised += nodes[at + node('edge_count')]
  }
  if (promised !== edge_count) return 'edge counts'
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) return 'sum of sizes'
  const edge = (name) => edge_fields.indexOf(name)
  const edgeTypes = meta.edge_types[edge('type')]
  for (let at = 0; at < edges.length; at += edge_fields.length) {
    const type = edgeTypes[edges[at + edge('type')]]
    const name = edges[at + edge('name_or_index')]
    if (type === undefined) return 'edge type'
    if (type === 'element' || type === 'hidden' ? name > MAX_UINT32 : name >= strings.length) return 'edge name'
    const to = edges[at + edge('to_node')]
    if (to % width !== 0 || to >= nodes.length) return 'edge target'
  }
  const fields = location_fields ?? ['object_index', 'script_id', 'line', 'column']
  if (locations && locations.length % fields.length !== 0) return 'locations'
  for (let at = 0; at < (locations?.length ?? 0); at += fields.length) {
    const object = locations[at + fields.indexOf('object_index')]
    if (object % width !== 0 || object >= nodes.length) return 'location object'
    for (const name of ['script_id', 'line', 'column']) {
      if (locations[at + fields.indexOf(name)] > MAX_UINT32) return 'location'
    }
  }
  return undefined
}
