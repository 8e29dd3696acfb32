// The schema of a pattern's evidence: that of its detectors, and what may be added to the evidence of any finding.

import { z } from 'zod'
import { DETECTORS } from './index.ts'

/**
 * The evidence of a pattern, whichever detector reports it: all fields, and no others.
 * @throws where no detector reports such a pattern
 */
export function evidenceOf(pattern: string): z.ZodType {
  const schemas = DETECTORS.filter(({ patterns }) => patterns.includes(pattern)).flatMap(({ evidence }) => evidence())
  if (schemas.length === 0) throw new Error(`No detector reports ${pattern}.`)
  const added = addedEvidence()
  const whole = schemas.map(({ shape }) => z.strictObject({ ...added, ...shape }))
  return z.union([...whole, z.strictObject(ofOneSnapshot())])
}

/** All that findings of one snapshot say. */
const ofOneSnapshot = () => ({
  count: z.number().int().describe('how many things there are in the container'),
  retainedBytes: z.number().describe('what they retain, in bytes'),
})

/** What is added to a finding's evidence, whatever its pattern. */
const addedEvidence = () => ({
  allocationSites: z
    .array(
      z.strictObject({
        function: z.string().nullable(),
        url: z.string(),
        line: z.number().int(),
        column: z.number().int(),
        bytes: z.number().describe('estimated bytes that were allocated there and are still alive'),
      }),
    )
    .optional()
    .describe('where the objects were allocated, by the sampling profile; not there where none was recorded'),
  residentKind: z.string().optional().describe('class of the objects that resident memory grows with'),
  residentBytesEach: z.number().optional().describe('what each of them takes of resident memory, in bytes'),
  residentIsEstimate: z
    .enum(['about', 'at most'])
    .optional()
    .describe('`at most` where other objects may have a share in it'),
  residentBytes: z.number().optional().describe('growth of memory outside of the heap and of ArrayBuffers, in bytes'),
  residentBytesPerSecond: z.number().optional().describe('the same each second'),
  residentSeconds: z.number().optional().describe('how long that was measured, in seconds'),
  isolates: z.array(z.string()).optional().describe('threads that waste CPU time in the same way'),
  liveSize: z.number().optional().describe('entries of the living container after the last snapshot'),
  liveSizeLater: z.number().optional().describe('entries of the living container `liveSeconds` later'),
  liveSeconds: z.number().optional().describe('how long the living container was looked at, in seconds'),
  peer: z.string().optional().describe('address and port of one of the readers that data waits for'),
  peerTookBytes: z.number().optional().describe('what that reader took in `peerSeconds`, in bytes'),
  peerSeconds: z.number().optional().describe('how long that reader was looked at, in seconds'),
})
