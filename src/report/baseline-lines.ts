// What a baseline says, in a few lines for people.

import type { BaselineOutcome } from '../findings/baseline-schema.ts'
import { formatCount, printable } from '../support/format.ts'

export function baselineLines({ file, known, suppressed, fixed, stale, ...all }: BaselineOutcome): string[] {
  const counts = [
    `${formatCount(all.new)} new`,
    `${formatCount(known)} known`,
    ...(suppressed > 0 ? [`${formatCount(suppressed)} suppressed`] : []),
    `${formatCount(fixed.length)} fixed`,
  ]
  return [
    `By ${printable(file)}: ${counts.join(', ')}.`,
    ...fixed.map(
      ({ fingerprint, pattern, title }) => `fixed: ${fingerprint} ${printable(`${pattern}, ${title}`, 100)}`,
    ),
    ...stale.map(({ fingerprint, until, reason, why }) => {
      const what = why === 'expired' ? `expired on ${until}` : 'nothing matches it any more'
      return `stale suppression: ${fingerprint} (${printable(reason, 80)}): ${what}`
    }),
  ]
}
