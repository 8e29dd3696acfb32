// A Report as the message of a test that has failed.

import { Chalk } from 'chalk'
import type { Report } from '../findings/report.ts'
import { reportTerminal } from '../report/terminal.ts'

const WIDTH = 120
const LIMIT = 5

export const textOf = (report: Report): string =>
  reportTerminal(report, { color: new Chalk({ level: 0 }), width: WIDTH, limit: LIMIT })
