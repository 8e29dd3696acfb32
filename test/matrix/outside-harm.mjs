// Shows that reading a process from outside does it no harm; the tests have a short version of it.
//
//   npm run build && node test/matrix/outside-harm.mjs [--pictures 1000] [--kills 100] [--rounds 20] [--minutes N]
//
// What is 0 is left out; pictures end after so many minutes, if they are given. The exit code is 1 if anything was harmed.

import { parseArgs } from 'node:util'
import { killAtRandom, readAtBothEnds, readInSituations, takePictures } from '../support/outside-harm.mjs'

const { values } = parseArgs({
  options: {
    pictures: { type: 'string', default: '1000' },
    kills: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '20' },
    minutes: { type: 'string', default: 'Infinity' },
  },
})
const [pictures, kills, rounds] = [values.pictures, values.kills, values.rounds].map(Number)
const say = (what) => (number) => {
  if (process.stderr.isTTY) process.stderr.write(`\r${what} ${number + 1} `)
}
let harmed = false

if (kills > 0) {
  const found = await killAtRandom(kills, { onKill: say('kill') })
  console.log('leakscope killed', found)
  harmed ||= found.stayed > 0 || found.failed > 0 || !found.isAlive
}
if (rounds > 0) {
  for (const found of [...(await readInSituations(rounds)), ...(await readAtBothEnds(rounds))]) {
    const refusals = [...new Set(found.refusals)]
    console.log(`a process that ${found.name}`, { ...found, refusals })
    harmed ||= found.ranOn < rounds
  }
}
if (pictures > 0) {
  const found = await takePictures(pictures, { mostMs: Number(values.minutes) * 60_000, onPicture: say('picture') })
  console.log('pictures of a server under load', found)
  harmed ||= found.failed > 0 || !found.isAlive
}
process.exitCode = harmed ? 1 : 0
