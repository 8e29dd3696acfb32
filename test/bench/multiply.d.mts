// Types of multiply.mjs for the tests.

export function multiply(file: string, copies: number, output: string): void
