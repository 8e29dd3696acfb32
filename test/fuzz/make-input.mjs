// From a seed and a number to the input: always the same bytes.

import { copyModel, modelText } from './model.mjs'
import { mutateBytes } from './mutate-bytes.mjs'
import { mutateRows } from './mutate-rows.mjs'
import { randomFor } from './random.mjs'
import { seedModels } from './seeds.mjs'

let models
let texts

/**
 * @returns {{ bytes: Buffer, before: Buffer, random: object }} the input, an undamaged heap that it came from (for
 *   comparing the two), and chance for what is done with them
 */
export function makeInput(seed, number) {
  models ??= seedModels()
  texts ??= models.map((model) => Buffer.from(modelText(model)))
  const random = randomFor(seed, number)
  const chosen = random.below(models.length)
  const other = texts[random.below(texts.length)]
  const kind = random.below(100)
  let bytes = texts[chosen]
  if (kind >= 45) {
    const model = copyModel(models[chosen])
    for (let i = random.few(8); i > 0; i--) mutateRows(model, random)
    bytes = Buffer.from(modelText(model, random))
  }
  if (kind < 55) for (let i = random.few(6); i > 0; i--) bytes = mutateBytes(bytes, other, random)
  return { bytes, before: texts[chosen], random }
}
