// Holds a SARIF log against the schema of SARIF 2.1.0.

import { readFileSync } from 'node:fs'
import { Ajv, type ErrorObject } from 'ajv'
import addFormats from 'ajv-formats'

// The schema is the one that Microsoft's sarif-js-sdk ships (MIT): https://github.com/microsoft/sarif-js-sdk
const {
  $schema: _,
  id: __,
  ...schema
} = JSON.parse(readFileSync(new URL('../report/sarif-2.1.0-rtm.5.json', import.meta.url), 'utf8'))
const ajv = new Ajv({ strict: false, allErrors: true, unicodeRegExp: false })
// biome-ignore lint/suspicious/noExplicitAny: its types know no default export of a CommonJS module
;(addFormats as any)(ajv)
const validate = ajv.compile(schema)

/** What is wrong with it; empty for a log as it should be. */
export const sarifErrors = (log: unknown): ErrorObject[] => (validate(log) ? [] : validate.errors!)
