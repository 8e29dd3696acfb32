// Which of Node's public functions make instances of its classes, those that no program can name included.
//
// Holds for Node 18 to 26, for a class that a version does not have is met in none of its heaps.

/** Node's functions that make instances of its classes. */
const MAKERS: readonly (readonly [className: RegExp, maker: RegExp])[] = [
  [/^(ChildProcess|Process|Pipe)$/, /^(spawn|fork|exec|execFile)$/],
  [/^(FSWatcher|FSEvent)$/, /^watch$/],
  [/^(StatWatcher)$/, /^watchFile$/],
  [/^(TCP|Socket|TLSSocket|TCPConnectWrap)$/, /^(connect|createConnection)$/],
  [/^(Server)$/, /^createServer$/],
  [/^(ClientRequest)$/, /^(request|get|fetch)$/],
  [/^(Message)$/, /^postMessage$/],
  [/^(Worker|MessagePort)$/, /^(Worker|MessageChannel)$/],
  [/^(UDP)$/, /^createSocket$/],
  [/^(ModuleWrap|ModuleJob|ModuleJobSync)$/, /^(import|register)$/],
  [/^(Module)$/, /^require$/],
  [/^(Timeout|TimersList)$/, /^(setTimeout|setInterval)$/],
  [/^(FileHandle|FSReq\w+)$/, /^(open|read|readFile|readdir|write|writeFile|appendFile|stat|access|unlink|copyFile)$/],
  [/^(Promise)$/, /^(race|then|Promise)$/],
  [/^(Zlib|BrotliEncoder|BrotliDecoder)$/, /^(create\w*|gzip|deflate\w*|brotli\w*)$/],
]

/** Whether a function of that name makes instances of a class. */
export const isMadeBy = (className: string, method: string): boolean =>
  MAKERS.some(([made, maker]) => made.test(className) && maker.test(method))
