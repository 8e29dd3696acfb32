// What `--max-growth` takes, and how it is told again.

import type { Budget } from '../../analysis/growth-verdict.ts'
import { LeakscopeError } from '../../errors.ts'
import { size } from '../common/options.ts'

export interface NamedBudget {
  readonly budget: Budget
  /** As it was asked for. */
  readonly text: string
}

/** `1KB/iteration` (or `/second`), `5%` or `2MB`, of which the last two are of all measured rounds together. */
export function growthBudget(name: string): (text: string) => NamedBudget {
  return (text) => {
    const [, amount = '', unit] = /^(.*?)(?:\/(iteration|second))?$/.exec(text) ?? []
    const percent = Number(/^(\d+(?:\.\d+)?) ?%$/.exec(amount)?.[1])
    try {
      if (percent > 0 && unit === undefined) return { budget: { kind: 'share', share: percent / 100 }, text }
      const bytes = size(name)(amount)
      return { budget: unit === undefined ? { kind: 'total', bytes } : { kind: 'per-unit', bytes }, text }
    } catch (cause) {
      throw new LeakscopeError('usage-invalid', `${name} takes 1KB/iteration, 5% or 2MB, or the like, not '${text}'`, {
        cause,
      })
    }
  }
}

export const DEFAULT_BUDGET: NamedBudget = {
  budget: { kind: 'default' },
  text: 'none that is told from noise (64 KB and 1 % in all; 256 KB where the work takes seconds)',
}
