// Types of statistics.mjs for the tests.

export function median(numbers: readonly number[]): number
export function spread(numbers: readonly number[]): { median: number; min: number; max: number }
export function slope(points: readonly (readonly [number, number])[]): number
