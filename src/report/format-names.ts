// The names of the output formats, apart from what writes them, so that `--help` knows them without loading that.

/** All but `terminal` and `json` tell only what a reviewer needs: the verdict, the findings, and what grew most. */
export const FORMAT_NAMES = ['terminal', 'json', 'markdown', 'junit', 'sarif', 'github'] as const
export type FormatName = (typeof FORMAT_NAMES)[number]
