// How Node keeps modules: those of import by URL in caches of the loader, those of require() as Module objects, each in its
// parent's `children` as well.
//
// Holds for Node 18 to 26:
// https://github.com/nodejs/node/blob/v24.x/lib/internal/modules/esm/module_map.js (`LoadCache`; in older ones `ModuleMap`)
// https://github.com/nodejs/node/blob/v24.x/lib/internal/modules/cjs/loader.js

import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName, property } from '../graph/look.ts'

/** Has what a specifier stands for; the others have modules. */
const RESOLVE_CACHE = 'ResolveCache'
const CACHES = new Set(['LoadCache', 'ModuleMap', RESOLVE_CACHE])

/** Whether it is a cache of what import has loaded or resolved. */
export const isImportCache = (graph: HeapGraph, node: number): boolean => CACHES.has(nodeName(graph, node))
export const isResolveCache = (graph: HeapGraph, node: number): boolean => nodeName(graph, node) === RESOLVE_CACHE

/** Whether it is a module that require() has loaded; namespaces of ES modules have that class, but no file. */
export const isRequiredModule = (graph: HeapGraph, node: number): boolean =>
  isObject(graph, node) && nodeName(graph, node) === 'Module'

/** The path of its file, as a string node. */
export const fileOfModule = (graph: HeapGraph, module: number): number | undefined =>
  property(graph, module, 'filename', 'id')
