// How sure a finding is: pieces of evidence, each with a weight and a sentence, combined here and nowhere else.

import { z } from 'zod'

export const GroundSchema = z.object({
  /** Names the piece of evidence, whatever its sentence says: one of the table in `weights.ts`, `number` or `remark`. */
  kind: z.string(),
  /**
   * What the weight does to the confidence: it starts with it, is multiplied by it, or is raised or lowered to it where it
   * is not there yet. In the order of the list.
   */
  effect: z.enum(['start', 'times', 'at least', 'at most']),
  /** From 0 to 1. */
  weight: z.number().min(0).max(1),
  /** Empty where another one's sentence says it as well. */
  sentence: z.string(),
})

/** A piece of evidence for or against a finding. */
export type Ground = z.infer<typeof GroundSchema>

/** From 0 to 1, in hundredths. */
export function confidenceBy(grounds: readonly Ground[]): number {
  let confidence = 0
  for (const { effect, weight } of grounds) {
    if (effect === 'start') confidence = weight
    else if (effect === 'times') confidence *= weight
    else if (effect === 'at least') confidence = Math.max(confidence, weight)
    else confidence = Math.min(confidence, weight)
  }
  return Math.round(100 * confidence) / 100
}

/** All sentences as one. */
export const reasonBy = (grounds: readonly Ground[]): string =>
  grounds
    .map(({ sentence }) => sentence)
    .filter((sentence) => sentence !== '')
    .join('; ')

/** What a finding says of all that together. */
export const judgedBy = (grounds: readonly Ground[]) => {
  const confidence = confidenceBy(grounds)
  return { confidence, severity: severityOf(confidence), reason: reasonBy(grounds), grounds: [...grounds] }
}

/** How serious a finding is, by how sure it is. */
export const severityOf = (confidence: number): 'error' | 'warning' | 'note' =>
  confidence >= 0.7 ? 'error' : confidence >= 0.5 ? 'warning' : 'note'
