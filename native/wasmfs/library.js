/**
 * The JavaScript side of the WasmFS backend: each call goes to the pool in the thread that makes it.
 */
(() => {
  // Calls by their methods (src/adapters/emscripten/wasmfs.ts), with their signatures.
  const CALLS = {
    root: "ip",
    lookUp: "iiippp",
    stat: "iiip",
    parent: "iiip",
    size: "dii",
    count: "iii",
    readLink: "iiipp",
    nameOf: "iiiipp",
    pathOf: "iiipp",
    list: "iiidppp",
    create: "iiippip",
    makeDirectory: "iiippip",
    makeSymlink: "iiippppp",
    link: "iiippiipp",
    remove: "iiippp",
    move: "iiiiippp",
    rename: "iiippiipppp",
    change: "iiiiidd",
    truncate: "iiid",
    open: "iiii",
    openLock: "iii",
    releaseLocks: "ii",
    close: "ii",
    read: "iiippd",
    write: "iiiippd",
  };
  const added = {
    $extmemfsWasmfs__deps: ["$EXTMEMFS"],
    $extmemfsWasmfs__postset: () =>
      "EXTMEMFS.whenAttached.push((thread) => {" +
      "EXTMEMFS.wasmfs = EXTMEMFS.library.attachWasmfs(thread, () => wasmMemory);});" +
      "if (EXTMEMFS.thread) EXTMEMFS.whenAttached.at(-1)(EXTMEMFS.thread);",
    $extmemfsWasmfs: () => {},
  };
  for (const [method, signature] of Object.entries(CALLS)) {
    const name = `extmemfs_wasmfs_${method.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    const parameters = Array.from(signature.slice(1), (_, index) => `a${index}`).join(", ");
    added[name] = eval(`(${parameters}) => EXTMEMFS.wasmfs.${method}(${parameters})`);
    added[`${name}__deps`] = ["$EXTMEMFS", "$extmemfsWasmfs"];
    added[`${name}__sig`] = signature;
    added[`${name}__proxy`] = "none";
    added[`${name}__nothrow`] = true;
  }
  // Locks of a program are what its system calls have.
  Object.assign(added, {
    extmemfs_wasmfs_lock: (descriptor, command, varargs) => EXTMEMFS.system.fcntl64(descriptor, command, varargs),
    extmemfs_wasmfs_lock__sig: "iiip",
    extmemfs_wasmfs_flock: (descriptor, operation) => EXTMEMFS.system.flock(descriptor, operation),
    extmemfs_wasmfs_flock__sig: "iii",
  });
  for (const name of ["extmemfs_wasmfs_lock", "extmemfs_wasmfs_flock"]) {
    added[`${name}__deps`] = ["$EXTMEMFS"];
    added[`${name}__proxy`] = "none";
  }
  addToLibrary(added);
})();
