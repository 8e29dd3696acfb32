// Properties that are worked out when somebody first asks for them.

/** From now on `object[key]` is what `make` gives, which is called once, when it is first read. */
export function setLazily<T extends object, K extends keyof T>(object: T, key: K, make: () => T[K]): void {
  Object.defineProperty(object, key, {
    configurable: true,
    enumerable: true,
    get() {
      const value = make()
      Object.defineProperty(object, key, { configurable: true, enumerable: true, value, writable: true })
      return value
    },
  })
}
