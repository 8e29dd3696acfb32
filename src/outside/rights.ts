// Which right is missing when the memory of a process may not be read, and who could give it.
//
// What it takes are a debugger's rights, PTRACE_MODE_ATTACH: https://man7.org/linux/man-pages/man2/ptrace.2.html

import { readFileSync, readlinkSync, statSync } from 'node:fs'

/** What the system says of us and of the process; undefined where it does not. */
export interface RightsFacts {
  readonly ourUser: number
  readonly itsUser: number | undefined
  /** Whether we have CAP_SYS_PTRACE. */
  readonly hasCapability: boolean
  /** Whether our capabilities count there. */
  readonly isSameUserNamespace: boolean
  /** Yama's restriction: https://docs.kernel.org/admin-guide/LSM/Yama.html; 0 where there is no Yama. */
  readonly yama: number
  /** Whether the process lets its user look into it: https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html */
  readonly isDumpable: boolean
}

const CAP_SYS_PTRACE = 19
const WAYS = {
  root: 'run leakscope as root',
  capability:
    'give it the capability CAP_SYS_PTRACE (docker run --cap-add=SYS_PTRACE; in Kubernetes an ephemeral container: kubectl debug --profile=sysadmin --target=…)',
  user: 'run it as the user of the process',
  yama: 'set kernel.yama.ptrace_scope to 0 (sysctl)',
}

export function rightsFacts(pid: number): RightsFacts {
  const [our, its] = [statusOf('self'), statusOf(String(pid))]
  const itsUser = userIn(its)
  const capabilities = /^CapEff:\s*([0-9a-f]+)/m.exec(our)?.[1]
  return {
    ourUser: userIn(our) ?? process.getuid?.() ?? -1,
    itsUser,
    hasCapability: capabilities !== undefined && ((BigInt(`0x${capabilities}`) >> BigInt(CAP_SYS_PTRACE)) & 1n) === 1n,
    isSameUserNamespace: isSameNamespace(pid),
    yama: Number(attempt(() => readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'latin1')) ?? 0),
    // The files of one that does not belong to root, whatever its user is.
    isDumpable: (attempt(() => statSync(`/proc/${pid}/mem`).uid) ?? itsUser) === itsUser,
  }
}

const statusOf = (which: string): string => attempt(() => readFileSync(`/proc/${which}/status`, 'latin1')) ?? ''
/** The effective one. */
function userIn(status: string): number | undefined {
  const user = /^Uid:\s*\d+\s+(\d+)/m.exec(status)?.[1]
  return user === undefined ? undefined : Number(user)
}
/** Of which nothing is to be seen where we have no rights; then the capability counts for what it says. */
function isSameNamespace(pid: number): boolean {
  const [own, its] = ['self', pid].map((each) => attempt(() => readlinkSync(`/proc/${each}/ns/user`)))
  return its === undefined || its === own
}
function attempt<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}

/** Why it was refused, and what would help. */
export function missingRight(facts: RightsFacts): { readonly problem: string; readonly hint: string } {
  const { ourUser, itsUser, hasCapability, isSameUserNamespace, yama, isDumpable } = facts
  const ways = (...list: (keyof typeof WAYS)[]): string => {
    const text = list.map((way) => WAYS[way]).join('; or ')
    return `${text[0]!.toUpperCase()}${text.slice(1)}.`
  }
  if (yama >= 3) {
    return {
      problem:
        'kernel.yama.ptrace_scope is 3, with which nobody may read the memory of another process until the next boot',
      hint: 'The way over the inspector needs no such right: --via inspector.',
    }
  }
  if (hasCapability && isSameUserNamespace) {
    return {
      problem: 'we have CAP_SYS_PTRACE, so that a security module (AppArmor, SELinux, seccomp) or a sandbox forbids it',
      hint: 'In containers, --security-opt seccomp=unconfined or apparmor=unconfined shows which. The way over the inspector needs no such right: --via inspector.',
    }
  }
  if (hasCapability) {
    return {
      problem: 'it belongs to another user namespace, in which our CAP_SYS_PTRACE does not count',
      hint: 'Run leakscope outside of the container, as root, or inside of the one that the process is in.',
    }
  }
  if (itsUser !== undefined && itsUser !== ourUser) {
    return {
      problem: `it belongs to user ${itsUser}, we are user ${ourUser}, and have no CAP_SYS_PTRACE`,
      hint: ways('user', 'root', 'capability'),
    }
  }
  if (yama > 0) {
    const who = yama === 1 ? 'only who started a process, or has CAP_SYS_PTRACE,' : 'only who has CAP_SYS_PTRACE'
    return {
      problem: `kernel.yama.ptrace_scope is ${yama}, with which ${who} may read its memory`,
      hint: ways('root', 'capability', ...(yama === 1 ? (['yama'] as const) : [])),
    }
  }
  if (!isDumpable) {
    return {
      problem:
        'it has changed its user or has capabilities of its own, so that it may not be looked into (it is not “dumpable”) without CAP_SYS_PTRACE',
      hint: ways('root', 'capability'),
    }
  }
  return {
    problem: 'we have no CAP_SYS_PTRACE, and it has rights that we lack or is in another user namespace',
    hint: ways('root', 'capability'),
  }
}
