// The shipping half of a small shop; its Order shares nothing but the name with the one in billing.mjs.

export class Order {
  constructor(number, address) {
    this.number = number
    this.address = address
    this.parcels = []
  }
  addParcel(weight) {
    this.parcels.push({ weight, order: this, label: Symbol(`parcel ${this.number}`) })
  }
}

/** Two more classes of one name, in one file, at two lines. */
export function carriers() {
  const air = class Carrier {
    constructor(name) {
      this.name = name
      this.speed = 900.5
    }
  }
  const road = class Carrier {
    constructor(name) {
      this.name = name
      this.wheels = 18
    }
  }
  return [air, road]
}
