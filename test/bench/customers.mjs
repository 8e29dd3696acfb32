// The load for the bench of profiles: node customers.mjs <port>. Each customer asks again as soon as it has its answer.
// On every message from its parent it says how many answers there were so far.

import { connect } from 'node:net'

const CUSTOMERS = 16
const port = Number(process.argv[2])
let answers = 0

for (let i = 0; i < CUSTOMERS; i++) buy(i)
process.on('message', () => process.send(answers))
process.on('disconnect', () => process.exit())

function buy(customer) {
  const socket = connect(port, '127.0.0.1')
  let turn = 0
  let answer = ''
  const ask = () => {
    const session = (turn++ * CUSTOMERS + customer) % 20_000
    socket.write(`GET /?kind=${turn % 17}&from=${turn % 60}&session=${session} HTTP/1.1\r\nHost: shop\r\n\r\n`)
  }
  socket.setEncoding('latin1')
  socket.on('connect', ask)
  socket.on('data', (part) => {
    answer += part
    const head = answer.indexOf('\r\n\r\n')
    if (head === -1) return
    const length = Number(/content-length: (\d+)/i.exec(answer)[1])
    if (answer.length < head + 4 + length) return
    answer = ''
    answers++
    ask()
  })
}
