import type { Program } from '../../fixtures/generated/compose.mjs'

export interface Base {
  readonly texts: readonly string[]
  readonly heap: object
}

/** What a recorded program is, and what is right to say of it. */
export interface About extends Pick<Program, 'marks' | 'axes'> {
  readonly name: string
  readonly healthy: boolean
  readonly expect: { readonly holderName?: string } | null
}

export function unpackBase(bytes: Buffer): Base
export function unpackBundle(bytes: Buffer, folder: string, base: Base): About
