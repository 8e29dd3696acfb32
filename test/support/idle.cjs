// A program that does nothing, for ever.

setInterval(() => {}, 1000)
