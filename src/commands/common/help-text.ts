// What the help of all commands has in common.

/** Headings of options in the help of commands that have many. */
export const GROUP = {
  what: 'What to look at:',
  how: 'How to look:',
  price: 'What it may cost:',
  output: 'Output:',
  config: 'Config and help:',
} as const

/** What stands at the end of a command's help: each example, and below it what it does. */
export const examples = (...rows: readonly (readonly [command: string, does: string])[]): string =>
  `\nExamples:\n${rows.map(([command, does]) => `  ${command}\n      ${does}`).join('\n')}`
