// The one error type for everything that can go wrong for reasons a user can act on; anything else thrown is a bug.

/**
 * What went wrong, stable across releases so that scripts can tell cases apart.
 * The prefix decides the exit code: `usage-` is 2, everything else is 3 (see {@link LeakscopeError.exitCode}).
 */
export type ErrorCode =
  | 'usage-invalid'
  | 'usage-config'
  | 'target-not-found'
  | 'target-not-permitted'
  | 'target-not-node'
  | 'target-refuses-signal'
  | 'target-port-taken'
  | 'target-unreachable'
  | 'target-wrong-process'
  | 'target-died'
  | 'target-timeout'
  | 'target-protocol'
  | 'platform-unsupported'
  | 'price-too-high'
  | 'file-not-found'
  | 'file-exists'
  | 'file-not-writable'
  | 'file-no-space'
  | 'file-unreadable'
  | 'heap-unreadable'
  | 'snapshot-malformed'
  | 'snapshot-mismatch'
  | 'profile-malformed'
  | 'profile-mismatch'
  | 'program-failed'
  | 'load-failed'
  | 'cancelled'

export class LeakscopeError extends Error {
  override readonly name = 'LeakscopeError'
  readonly code: ErrorCode
  /** What to do next, in one sentence; printed below the message. */
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
  }

  /** 2 for a mistake in the command line or the config, 130 after Ctrl-C (128 + SIGINT, as shells expect), else 3. */
  get exitCode(): 2 | 3 | 130 {
    if (this.code === 'cancelled') return 130
    return this.code.startsWith('usage-') ? 2 : 3
  }
}
