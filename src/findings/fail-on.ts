// From which severity on a finding makes the exit code 1, apart from all else, so that `--help` knows it cheaply.

export const FAIL_ON = ['note', 'warning', 'error', 'never'] as const
export type FailOn = (typeof FAIL_ON)[number]
