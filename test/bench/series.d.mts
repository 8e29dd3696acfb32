export const KINDS: string[]
export function makeSeries(
  seed: number,
  kind: string,
  leaks: boolean,
): {
  kind: string
  noiseBytes: number
  leakBytesPerHour: number
  hours: number
  points: { atMs: number; value: number }[]
}
