// Bends a heap's rows: what a hostile but well-spelled file can say.

import { fieldsOf, isNumbered } from './model.mjs'

/** What detectors look for. */
const DETECTED = [
  ...[
    'Timeout',
    'TimersList',
    '_idleNext',
    '_onTimeout',
    '_idleTimeout',
    'WritableState',
    '_writableState',
    'buffered',
  ],
  ...[
    '_events',
    'kEvents',
    'Promise',
    'PromiseReaction',
    'reactions_or_result',
    'AbortSignal',
    'Worker',
    'MessagePort',
  ],
  ...['Node / MessagePort', 'Node / MessagePortData', 'Node / Message', 'incoming_messages', '(javascript_to_native)'],
  ...[
    'ArrayBuffer',
    'JSArrayBufferData',
    'backing_store',
    'Buffer',
    'Uint8Array',
    '(sliced string)',
    'SourceTextModule',
  ],
  ...[
    'Map',
    'Set',
    'Array',
    'table',
    'elements',
    'logs',
    'queue',
    'tasks',
    'workers',
    'pending',
    'cache',
    'max',
    'ttl',
  ],
  ...[
    'Socket',
    '_handle',
    'Zlib',
    'FSWatcher',
    'children',
    'exports',
    'Module',
    'callback',
    'resolve',
    'length',
    'map',
  ],
]
const NAMES = [
  '',
  '\u001b[31mred\u001b[0m',
  '\u001b]0;title\u0007',
  'a\rb\nc\td\u0000e',
  '\u009b2J',
  '\u202egnp.exe',
  '\u2066x\u2069',
  '\ud800 alone',
  'alone \udfff',
  '😀'.repeat(20),
  '"quoted" \\ back',
  '__proto__',
  'constructor',
  'first',
  'second',
  'parent',
  'context',
  'previous',
  'shared',
  'script',
  'pid',
  'process',
  '0',
  '17',
  'NaN',
  'Infinity',
  'system / Context',
  'system / Context / x',
  'system / NativeContext',
  'sloppy_function_map',
  '(map descriptors)',
  'system / ExternalStringData',
  '7 / part of key (A @3) -> value (B @5) pair in WeakMap (table @1)',
  '7 / part of key (A @3) -> value (B @5) pair in WeakMap (table @99999999999999999999)',
  ...DETECTED,
  'file:///dev/zero',
  '/dev/zero',
  'node:internal/x',
  'x'.repeat(3000),
  `${'@1) -> value ('.repeat(100)} pair in WeakMap (table @`,
]
const SIZES = [0, 1, 8, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 5e9, 2 ** 52, Number.MAX_SAFE_INTEGER]

/** Changes the model in place, once. */
export function mutateRows(model, random) {
  const fields = fieldsOf(model)
  try {
    random.pick(MUTATIONS)(model, random, fields)
  } catch {
    // What another mutation left of the head makes no sense to this one.
  }
}

const anyNode = (model, random) => random.pick(model.nodes)
const anyEdge = (model, random) => random.pick(model.edges)

/** By node: where its edges start, as its row says. */
function edgesAt(model, node, fields) {
  let at = 0
  for (let i = 0; i < node; i++) at += model.nodes[i][fields.node.edge_count]
  return at
}

/** Adds an edge where the edges of `from` end, and counts it. */
function addEdge(model, fields, from, type, name, to) {
  const row = model.head.meta.edge_fields.map(() => 0)
  row[fields.edge.type] = type
  row[fields.edge.name_or_index] = name
  row[fields.edge.to_node] = to
  const at = edgesAt(model, from, fields) + model.nodes[from][fields.node.edge_count]
  model.edges.splice(at, 0, row)
  model.nodes[from][fields.node.edge_count]++
}

function addNode(model, fields, name, size) {
  const row = model.head.meta.node_fields.map(() => 0)
  row[fields.node.type] = 3
  row[fields.node.name] = name
  row[fields.node.id] = 1_000_001 + 2 * model.nodes.length
  row[fields.node.self_size] = size
  return model.nodes.push(row) - 1
}

const edgeTypes = ({ head }, fields) => head.meta.edge_types[fields.edge.type].length
const nodeTypes = ({ head }, fields) => head.meta.node_types[fields.node.type].length

const MUTATIONS = [
  function retarget(model, random, fields) {
    for (let i = random.few(40); i > 0 && model.edges.length > 0; i--) {
      anyEdge(model, random)[fields.edge.to_node] = random.below(model.nodes.length)
    }
  },
  function addEdges(model, random, fields) {
    for (let i = random.few(40); i > 0; i--) {
      const type = random.below(edgeTypes(model, fields))
      const name = random.below(model.strings.length)
      addEdge(model, fields, random.below(model.nodes.length), type, name, random.below(model.nodes.length))
    }
  },
  function selfEdges(model, random, fields) {
    for (let i = random.few(5); i > 0; i--) {
      const node = random.below(model.nodes.length)
      addEdge(model, fields, node, random.below(edgeTypes(model, fields)), 0, node)
    }
  },
  function edgeTypesChanged(model, random, fields) {
    for (let i = random.few(20); i > 0 && model.edges.length > 0; i--) {
      const edge = anyEdge(model, random)
      const type = edge[fields.edge.type]
      edge[fields.edge.type] = random.below(edgeTypes(model, fields))
      if (!isNumbered(model, edge, fields)) edge[fields.edge.name_or_index] %= model.strings.length
      else if (random.chance(0.1)) edge[fields.edge.type] = type
    }
  },
  function nodeTypesChanged(model, random, fields) {
    for (let i = random.few(20); i > 0; i--) {
      anyNode(model, random)[fields.node.type] = random.below(nodeTypes(model, fields) + (random.chance(0.02) ? 1 : 0))
    }
  },
  function unreachableCycle(model, random, fields) {
    const first = model.nodes.length
    const length = 1 + random.below(4)
    for (let i = 0; i < length; i++) addNode(model, fields, random.below(model.strings.length), 16)
    for (let i = 0; i < length; i++) addEdge(model, fields, first + i, 2, 0, first + ((i + 1) % length))
    if (random.chance(0.5)) addEdge(model, fields, first, 2, 0, random.below(model.nodes.length))
    if (random.chance(0.3)) addEdge(model, fields, addNode(model, fields, 0, 8), 2, 0, first)
  },
  function idsTwice(model, random, fields) {
    for (let i = random.few(10); i > 0; i--) {
      anyNode(model, random)[fields.node.id] = anyNode(model, random)[fields.node.id]
    }
  },
  function idsStrange(model, random, fields) {
    anyNode(model, random)[fields.node.id] = random.pick([0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32])
  },
  function sizes(model, random, fields) {
    for (let i = random.few(6); i > 0; i--) anyNode(model, random)[fields.node.self_size] = random.pick(SIZES)
  },
  function names(model, random) {
    for (let i = random.few(6); i > 0; i--) model.strings[random.below(model.strings.length)] = random.pick(NAMES)
  },
  function namesOfNodes(model, random, fields) {
    for (let i = random.few(6); i > 0; i--) {
      model.strings.push(random.pick(NAMES))
      anyNode(model, random)[fields.node.name] = model.strings.length - 1
    }
  },
  function namesOfEdges(model, random, fields) {
    for (let i = random.few(6); i > 0 && model.edges.length > 0; i--) {
      model.strings.push(random.pick(NAMES))
      const edge = anyEdge(model, random)
      if (!isNumbered(model, edge, fields)) edge[fields.edge.name_or_index] = model.strings.length - 1
    }
  },
  function stringParts(model, random, fields) {
    const part = (name) => {
      const known = model.strings.indexOf(name)
      return known >= 0 ? known : model.strings.push(name) - 1
    }
    const internal = model.head.meta.edge_types[fields.edge.type].indexOf('internal')
    const cons = model.head.meta.node_types[fields.node.type].indexOf('concatenated string')
    if (internal < 0 || cons < 0) return
    for (let i = random.few(8); i > 0; i--) {
      const from = random.below(model.nodes.length)
      const to = random.below(model.nodes.length)
      model.nodes[from][fields.node.type] = cons
      if (random.chance(0.7)) model.nodes[to][fields.node.type] = cons
      addEdge(model, fields, from, internal, part(random.pick(['first', 'second', 'parent'])), to)
    }
  },
  function locations(model, random, fields) {
    for (let i = random.few(6); i > 0; i--) {
      const row = model.head.meta.location_fields?.map(() => 0) ?? [0, 0, 0, 0]
      row[fields.location.object_index] = random.below(model.nodes.length)
      row[fields.location.script_id] = random.below(5)
      row[fields.location.line] = random.pick([0, 7, 2 ** 31, 2 ** 32 - 1, 2 ** 32 + 5])
      model.locations.splice(random.below(model.locations.length + 1), 0, row)
    }
  },
  function numbersBeyond(model, random, fields) {
    const big = random.pick([model.strings.length, 1e6, 2 ** 31, 2 ** 32, -1])
    if (random.chance(0.3)) anyNode(model, random)[fields.node.name] = big
    else if (model.edges.length > 0) anyEdge(model, random)[random.below(3)] = big
  },
  function fractions(model, random) {
    const row = random.chance(0.5) || model.edges.length === 0 ? anyNode(model, random) : anyEdge(model, random)
    row[random.below(row.length)] = random.pick([0.5, -1, -0.5, 1e300, Number.MAX_SAFE_INTEGER + 1, '1e2', '007', '00'])
  },
  function edgeCounts(model, random, fields) {
    const from = anyNode(model, random)
    const to = anyNode(model, random)
    const moved = random.chance(0.9) ? random.below(from[fields.node.edge_count] + 1) : 3
    from[fields.node.edge_count] -= moved
    if (random.chance(0.8)) to[fields.node.edge_count] += moved
  },
  function lies(model, random) {
    const lie = random.pick([0, 1, 2, model.nodes.length - 1, model.nodes.length + 1, 1e6, 2 ** 32, 2 ** 53, -1, '3'])
    if (random.chance(0.5)) model.lies.nodeCount = lie
    else model.lies.edgeCount = lie
  },
  function metaPermuted(model, random, fields) {
    const { meta } = model.head
    const kind = random.pick(['node', 'edge'])
    const names = meta[`${kind}_fields`]
    const a = random.below(names.length)
    const b = random.below(names.length)
    const swap = (list) => {
      ;[list[a], list[b]] = [list[b], list[a]]
    }
    swap(names)
    if (random.chance(0.9)) swap(meta[`${kind}_types`])
    if (random.chance(0.9)) model[`${kind}s`].forEach(swap)
    if (fields.edge.to_node !== undefined && random.chance(0.05)) names[a] = names[b]
  },
  function fieldsAdded(model, random) {
    const { meta } = model.head
    const kind = random.pick(['node', 'edge'])
    const names = meta[`${kind}_fields`]
    const wanted = random.chance(0.1) ? 32 : names.length + 1
    while (names.length < wanted) {
      const at = random.below(names.length + 1)
      names.splice(at, 0, `new_${names.length}`)
      meta[`${kind}_types`].splice(at, 0, 'number')
      for (const row of model[`${kind}s`]) row.splice(at, 0, random.pick([0, 1, 4_000_000_000, 2 ** 53 - 1]))
    }
  },
  function typesRenamed(model, random, fields) {
    const { meta } = model.head
    const types = random.chance(0.5) ? meta.node_types[fields.node.type] : meta.edge_types[fields.edge.type]
    const at = random.below(types.length)
    if (random.chance(0.5)) types[at] = `new type ${at}`
    else types.splice(at, 0, 'newer')
  },
  function nativeBytes(model, random) {
    model.head.extra_native_bytes = random.pick([0, 12345, 2 ** 53 - 1, -1, 0.5])
  },
  function childrenOfRoot(model, random, fields) {
    const types = model.head.meta.edge_types[fields.edge.type]
    for (let i = random.few(6); i > 0; i--) {
      const to = random.chance(0.2) ? 0 : random.below(model.nodes.length)
      addEdge(model, fields, 0, Math.max(0, types.indexOf(random.pick(['shortcut', 'element', 'property']))), 0, to)
    }
  },
  function nodesAdded(model, random, fields) {
    const name = random.below(model.strings.length)
    for (let i = random.few(20); i > 0; i--) {
      const from = random.below(model.nodes.length)
      addEdge(model, fields, from, 2, random.below(model.strings.length), addNode(model, fields, name, 40))
    }
  },
]
