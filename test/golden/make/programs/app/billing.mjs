// The billing half of a small shop; its Order shares nothing but the name with the one in shipping.mjs.

export class Order {
  #paid = false
  constructor(number, lines) {
    this.number = number
    this.lines = lines
    this.total = lines.reduce((sum, line) => sum + line.price * line.quantity, 0)
  }
  get paid() {
    return this.#paid
  }
  pay() {
    this.#paid = true
  }
}

export class Invoice extends Order {
  constructor(number, lines, customer) {
    super(number, lines)
    this.customer = customer
    this.sent = new Date(1_700_000_000_000 + number)
  }
}

/** A new class of the same name at each call, all at one source location. */
export function defineDiscount(percent) {
  return class Discount {
    constructor(order) {
      this.order = order
      this.percent = percent
    }
  }
}
