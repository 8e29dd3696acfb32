// Numbers and text as a person reads and writes them; nothing here is for machines.

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB']

/** Bytes in powers of ten, three significant digits: `999 B`, `1.23 MB`, `45.6 GB`; keeps the sign. */
export function formatBytes(bytes: number): string {
  const sign = bytes < 0 ? '-' : ''
  let value = Math.abs(bytes)
  let unit = 0
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000
    unit++
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${sign}${value.toFixed(digits)} ${BYTE_UNITS[unit]}`
}

/** The same with an explicit `+`, for differences. */
export function formatBytesDelta(bytes: number): string {
  return bytes > 0 ? `+${formatBytes(bytes)}` : formatBytes(bytes)
}

/** `1,234,567`, whatever the locale. */
export function formatCount(count: number): string {
  // What ICU takes to get ready, a short command has done its work in.
  return Number.isInteger(count) ? String(count).replace(/\B(?=(\d{3})+$)/g, ',') : count.toLocaleString('en-US')
}

/** The same with an explicit `+`, for differences. */
export function formatCountDelta(count: number): string {
  return count > 0 ? `+${formatCount(count)}` : formatCount(count)
}

/** `12 ms`, `3.4 s`, `2 min 5 s`, `3 h 12 min`, `5 d 3 h`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  const hours = Math.floor(minutes / 60)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/**
 * Text from a heap or another process made safe for a terminal: control characters (so also terminal escapes),
 * bidirectional overrides and line breaks become visible escapes, and anything over `max` characters is cut with `…`.
 */
export function printable(text: string, max = Number.POSITIVE_INFINITY): string {
  const visible = text
    .slice(0, max + 1)
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (character) => {
      if (character === '\n') return '\\n'
      if (character === '\t') return '\\t'
      if (character === '\r') return '\\r'
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
    })
  return visible.length > max ? `${visible.slice(0, Math.max(0, max - 1))}…` : visible
}

/** What JSON leaves as it is though terminals obey it. */
const CONTROLS = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** JSON of anything, with nothing in it that a terminal would obey; see {@link printable}. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** `500ms`, `10s` (or just `10`), `2min`, `1h`. */
export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|min|h)?$/

/** `512MB`, `1.5GiB`, and Kubernetes' `512Mi`. A JSON schema's patterns have no flags, so both cases are spelt out. */
export const SIZE = /^(\d+(?:\.\d+)?) ?([KMGTkmgt]?[Ii]?[Bb]|[KMGTkmgt][Ii])$/
