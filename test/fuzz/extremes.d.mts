// Types of extremes.mjs for the tests.

import type { Shape } from './extreme-heaps.mjs'

export interface ExtremeResult {
  shape: Shape
  size: number
  fileBytes: number
  ms: number
  peakBytes: number
}
export function runExtreme(shape: Shape, size: number): Promise<ExtremeResult>
