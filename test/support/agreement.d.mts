import type { Snapshot } from '../../src/snapshot/snapshot.ts'

/** Shares, from 0 to 1: of what the reference has, and of what is held against it, the part that both have. */
export interface Agreement {
  readonly recall: number
  readonly precision: number
  /** How many of them the reference has. */
  readonly count: number
}

export interface Agreements {
  readonly objects: Agreement
  readonly objectBytes: Agreement
  readonly closures: Agreement
  readonly closurePlaces: Agreement
  readonly strings: Agreement
  readonly properties: Agreement
  readonly contexts: Agreement
  readonly elements: Agreement
}

/** @param own what is held against the `reference` */
export function agreementOf(own: Snapshot, reference: Snapshot): Agreements

/** Recall and precision in percent: `99.99/100.00`. */
export function showAgreement(agreement: Agreement): string
