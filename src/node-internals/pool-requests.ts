// Node's requests to the pool of threads that does what would block: files, names of hosts, cryptography.
//
// Holds for Node 18 to 26:
// https://github.com/nodejs/node/blob/v24.x/src/node_file.h
// https://github.com/nodejs/node/blob/v24.x/src/cares_wrap.h
// https://github.com/nodejs/node/blob/v24.x/src/crypto/crypto_util.h (CryptoJob)

import type { HeapGraph } from '../graph/heap-graph.ts'
import { isObject, nodeName } from '../graph/look.ts'
import { isNodesNative, nativeSide } from './handles.ts'

/** Requests of c-ares, and those of sockets, need no thread. */
const KINDS: readonly { readonly names: RegExp; readonly what: string }[] = [
  { names: /^(FSReqCallback|FSReqPromise)$/, what: 'file system' },
  { names: /^(GetAddrInfoReqWrap|GetNameInfoReqWrap)$/, what: 'dns.lookup' },
  { names: /^\w+Job$/, what: 'crypto' },
]

/** What the requests of a class are for; undefined where the class is none of requests. */
export const poolWork = (className: string): string | undefined =>
  KINDS.find(({ names }) => names.test(className))?.what

/** Whether it is a request of Node, and not of a class of the program that is called a job. */
export const isPoolRequest = (graph: HeapGraph, node: number): boolean =>
  isObject(graph, node) &&
  poolWork(nodeName(graph, node)) !== undefined &&
  isNodesNative(nodeName(graph, nativeSide(graph, node) ?? node))
