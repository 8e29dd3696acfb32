// Types of extreme-heaps.mjs for the tests.

export interface ExtremeHeap {
  nodes: number
  node(ordinal: number): number[]
  edges: number
  edge(ordinal: number): number[]
  strings: number
  string(index: number): string
  promised?: { nodes?: number; edges?: number }
}
export function writeHeap(file: string, heap: ExtremeHeap, options?: { gzip?: boolean }): void
export type Shape = 'list' | 'star' | 'classes' | 'ring' | 'text' | 'ids' | 'escapes'
export const SHAPES: Record<Shape, (size: number) => ExtremeHeap>
