// Processes on systems without /proc, told by the tools that come with them: ps and lsof, or PowerShell on Windows.
// What those do not tell is answered with "unknown", never with a guess.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type NodeBinary, readNodeBinary } from './node-binary.ts'
import type { Listener, Platform, PortHolder, ProcessFacts, ProcessState } from './platform.ts'
import { direct } from './route.ts'

const execute = promisify(execFile)

/** What a tool prints; empty when it is missing or finds nothing, which several of them call an error. */
async function output(command: string, args: readonly string[]): Promise<string> {
  try {
    return (await execute(command, args, { maxBuffer: 64 << 20, timeout: 10_000 })).stdout
  } catch (error) {
    return (error as { stdout?: string }).stdout ?? ''
  }
}

/** What neither of these systems tells. */
const UNTOLD = {
  connections: async () => undefined,
  inspectorPort: async () => undefined,
  nodeArguments: async () => undefined,
  acceptsInspectorRequest: async () => 'unknown',
  hasOwnNetwork: async () => 'unknown',
  enterNetwork: async () => direct,
} as const satisfies Partial<Platform>

async function nodeBinaryAt(path: string | undefined): Promise<NodeBinary | undefined | 'unreadable'> {
  if (path === undefined) return undefined
  try {
    return readNodeBinary(path)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'unreadable' : undefined
  }
}

/** macOS and the BSDs. */
export const unix: Platform = {
  ...UNTOLD,
  listPids: async () => (await output('ps', ['-axo', 'pid='])).split('\n').map(Number).filter(Boolean),
  describe: async (pid) => parsePs(pid, await output('ps', ['-o', 'stat=,uid=,rss=,etime=,args=', '-p', String(pid)])),
  nodeBinary: async (pid) =>
    // The first text segment that lsof lists is the executable.
    nodeBinaryAt(/^n(.+)$/m.exec(await output('lsof', ['-a', '-p', String(pid), '-d', 'txt', '-Fn']))?.[1]),
  async listeners(pid) {
    const text = await output('lsof', ['-nP', '-a', '-p', String(pid), '-iTCP', '-sTCP:LISTEN', '-FfPn'])
    return parseLsof(text)
  },
  async agentSocket(pid) {
    const text = await output('lsof', ['-nP', '-a', '-p', String(pid), '-U', '-Fn'])
    return /^n(\/.*\/agent-\d+(?:-\d+)?\.sock)$/m.exec(text)?.[1]
  },
  async portHolder(pid, port) {
    const text = await output('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fp'])
    return holderOtherThan(
      pid,
      [...text.matchAll(/^p(\d+)$/gm)].map((match) => Number(match[1])),
    )
  },
  requestInspector: (pid) => void process.kill(pid, 'SIGUSR1'),
}

export function parsePs(pid: number, line: string): ProcessFacts | undefined {
  const match = /^\s*(\S+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.*\S)/.exec(line)
  if (!match) return undefined
  const [, stat, uid, rss, elapsed, command] = match as unknown as [string, string, string, string, string, string]
  const state: ProcessState = stat.startsWith('Z') ? 'zombie' : stat.startsWith('T') ? 'stopped' : 'running'
  return {
    pid,
    birth: '',
    parentPid: undefined,
    tracerPid: undefined,
    ownPid: pid,
    state,
    uid: Number(uid),
    rssBytes: Number(rss) * 1024,
    ageMs: parseElapsed(elapsed),
    cpuMs: undefined,
    command: [command],
  }
}

/** `[[days-]hours:]minutes:seconds` */
export function parseElapsed(text: string): number {
  const [days, clock] = text.includes('-') ? text.split('-') : ['0', text]
  const seconds = clock!.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return (Number(days) * 86_400 + seconds) * 1000
}

/** lsof's field output: one line per field, `f` for the descriptor, `n` for `host:port`. */
export function parseLsof(text: string): Listener[] {
  let descriptor = ''
  return text.split('\n').flatMap((line) => {
    if (line.startsWith('f')) descriptor = line.slice(1)
    const match = /^n(.*):(\d+)$/.exec(line)
    if (!match) return []
    const host = match[1] === '*' ? '0.0.0.0' : match[1]!.replace(/^\[|\]$/g, '')
    return [{ host, port: Number(match[2]), id: `${descriptor} ${line}`, suspect: true }]
  })
}

/** Windows, where Node listens for the request on an object of its own instead of a signal. */
export const windows: Platform = {
  ...UNTOLD,
  listPids: async () => (await powershell('Get-Process | ForEach-Object Id')).split(/\s+/).map(Number).filter(Boolean),
  describe: async (pid) => parseWin32Process(pid, await powershell(win32ProcessScript(pid))),
  nodeBinary: async (pid) => nodeBinaryAt((await powershell(`(Get-Process -Id ${pid}).Path`)).trim() || undefined),
  listeners: async (pid) => (await netstat()).filter((it) => it.pid === pid).map(({ listener }) => listener),
  agentSocket: async () => undefined,
  portHolder: async (pid, port) =>
    holderOtherThan(
      pid,
      (await netstat()).filter(({ listener }) => listener.port === port).map((it) => it.pid),
    ),
  requestInspector: (pid) => {
    const { _debugProcess } = process as typeof process & { _debugProcess(pid: number): void }
    _debugProcess(pid)
  },
}

function powershell(script: string): Promise<string> {
  return output('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', script])
}

function win32ProcessScript(pid: number): string {
  return (
    `Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}' | Select-Object CommandLine, WorkingSetSize, ` +
    `@{n='AgeMs';e={[long]((Get-Date) - $_.CreationDate).TotalMilliseconds}} | ConvertTo-Json -Compress`
  )
}

export function parseWin32Process(pid: number, text: string): ProcessFacts | undefined {
  if (text.trim() === '') return undefined
  const facts = JSON.parse(text) as { CommandLine: string | null; WorkingSetSize: number; AgeMs: number }
  return {
    pid,
    birth: '',
    parentPid: undefined,
    tracerPid: undefined,
    ownPid: pid,
    state: 'running',
    uid: undefined,
    rssBytes: facts.WorkingSetSize,
    ageMs: facts.AgeMs,
    cpuMs: undefined,
    command: [facts.CommandLine ?? '?'],
  }
}

async function netstat(): Promise<{ pid: number; listener: Listener }[]> {
  return parseNetstat(await output('netstat.exe', ['-ano', '-p', 'TCP']))
}

/** Lines such as `  TCP    127.0.0.1:9229    0.0.0.0:0    LISTENING    4242`; the state's name is translated. */
export function parseNetstat(text: string): { pid: number; listener: Listener }[] {
  return [...text.matchAll(/^\s*TCP\s+(\S+):(\d+)\s+\S+:0\s+\S+\s+(\d+)\s*$/gm)].map((match) => {
    const [, host, port, pid] = match as unknown as [string, string, string, string]
    return { pid: Number(pid), listener: { host, port: Number(port), id: `${host}:${port}`, suspect: true } }
  })
}

function holderOtherThan(pid: number, pids: readonly number[]): PortHolder | undefined {
  const other = pids.find((it) => it !== pid)
  return other === undefined ? undefined : { pid: other }
}
