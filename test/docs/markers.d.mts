export interface Shown {
  readonly name: string
  readonly output: string
}
export function pages(): string[]
export function readPage(page: string): string
export function shownIn(text: string): Shown[]
export function renewed(text: string, newOf: (name: string) => string | undefined): string
