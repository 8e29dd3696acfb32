// Logs in the loop: texts, and objects that the console keeps for an inspector that may yet come.

export function iteration(_, number) {
  console.log('item', number, { number, tags: ['a', 'b'], at: new Date() })
  if (number % 10 === 0) console.error(new Error(`number ${number} is a ten`))
}
