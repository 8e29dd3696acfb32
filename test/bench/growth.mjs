// How the time and the memory of each engine grow with the heap, over the sizes that it managed.

import { slope } from './statistics.mjs'

/** @param opening what `measure` gave for each size, beside nodes and edges of the file */
export function growthOf(opening) {
  const names = opening[0].engines.map(({ name }) => name)
  return names.flatMap((name) => {
    const points = opening.flatMap(({ nodes, edges, engines }) => {
      const engine = engines.find((each) => each.name === name)
      return engine.error ? [] : [{ nodes, edges, seconds: engine.seconds.median, peakBytes: engine.peakBytes.median }]
    })
    if (points.length < 2) return []
    const perOne = (what, of) => slope(points.map((point) => [point[of], point[what]]))
    return {
      name,
      sizes: points.length,
      secondsPerMillionNodes: perOne('seconds', 'nodes') * 1e6,
      secondsPerMillionEdges: perOne('seconds', 'edges') * 1e6,
      peakBytesPerNode: perOne('peakBytes', 'nodes'),
      peakBytesPerEdge: perOne('peakBytes', 'edges'),
    }
  })
}
