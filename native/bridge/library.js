/**
 * Binds the bridge (src/adapters/emscripten/bridge.ts): what the program imports of the calls that it carries are its
 * exports, so that they go from WebAssembly to WebAssembly. Comes behind the libraries that define the calls.
 *
 * A shared memory exists before the program is instantiated, in each thread: there the bridge is made just before the
 * imports are put together. An unshared memory is the program's own export: there the imports are relays
 * (src/adapters/emscripten/bridge_relay.ts), which are aimed at the bridge before anything of the program runs.
 */
(() => {
  const own = LibraryManager.library;

  const added = {
    $EXTMEMFS_BRIDGE__deps: ['$EXTMEMFS'],
    $EXTMEMFS_BRIDGE__postset: () => {
#if SHARED_MEMORY
      return 'var extmemfsAssignImports = assignWasmImports;' +
        'assignWasmImports = () => { EXTMEMFS_BRIDGE.bind(); extmemfsAssignImports(); };';
#else
      addAtInit('EXTMEMFS_BRIDGE.bind();');
#endif
    },
    $EXTMEMFS_BRIDGE: {
      // The calls of JavaScript, and how each is replaced.
      slow: {},
      replace: {},
      bridge: undefined,

      isWanted: () => Module['extmemfsOptions']?.['bridge'] !== false,

      add(name, slow, replace) {
        EXTMEMFS_BRIDGE.slow[name] = slow;
        EXTMEMFS_BRIDGE.replace[name] = replace;
      },

      relay(name, signature, slow) {
        if (!EXTMEMFS_BRIDGE.isWanted()) return slow;
        EXTMEMFS.library ??= extmemfsBundle();
        var relay = EXTMEMFS.library.makeRelay(signature, {{{ POINTER_SIZE }}}, slow);
        EXTMEMFS_BRIDGE.add(name, slow, relay.aim);
        return relay.call;
      },

      bind() {
        if (EXTMEMFS_BRIDGE.bridge || !EXTMEMFS.thread) return;
        var bridge = EXTMEMFS.library.attachBridge(
          EXTMEMFS.thread, wasmMemory, {{{ POINTER_SIZE }}}, EXTMEMFS_BRIDGE.slow);
        if (!bridge) return;
        EXTMEMFS_BRIDGE.bridge = bridge;
        for (var name in EXTMEMFS_BRIDGE.replace) EXTMEMFS_BRIDGE.replace[name](bridge[name]);
      },
    },

    // For tests: how many calls of this thread went through the bridge to JavaScript; -1 where there is no bridge.
    extmemfs_bridge_slow_calls__deps: ['$EXTMEMFS_BRIDGE'],
    extmemfs_bridge_slow_calls__sig: 'i',
    extmemfs_bridge_slow_calls__proxy: 'none',
    extmemfs_bridge_slow_calls: () => EXTMEMFS_BRIDGE.bridge ? EXTMEMFS_BRIDGE.bridge.slowCalls() : -1,
  };
  addToLibrary(added);

#if WASM_BIGINT && MEMORY64 != 2 && !WASM_ESM_INTEGRATION && !MINIMAL_RUNTIME && !WASM2JS
  // Their types: result, then parameters.
  const CALLS = {
    fd_read: 'iippp',
    fd_write: 'iippp',
    fd_pread: 'iippjp',
    fd_pwrite: 'iippjp',
    fd_seek: 'iijip',
    extmemfs_pread: 'pippj',
    extmemfs_pwrite: 'pippj',
    extmemfs_size: 'ji',
    extmemfs_read: 'ijpp',
    extmemfs_write: 'ijpp',
    extmemfs_wasmfs_read: 'iiippd',
    extmemfs_wasmfs_write: 'iiiippd',
  };
  for (const [name, signature] of Object.entries(CALLS)) {
    // Under WasmFS the C library's calls are not the pool's.
    if (!String(own[name]).includes('EXTMEMFS')) continue;
    if (own[`${name}__sig`] !== signature) throw new Error(`${name} has the signature ${own[`${name}__sig`]}`);
    const before = own[`${name}__postset`] ?? '';
    own[`${name}__deps`] = [...(own[`${name}__deps`] ?? []), '$EXTMEMFS_BRIDGE'];
#if SHARED_MEMORY
    own[`${name}__postset`] = `${before};EXTMEMFS_BRIDGE.add('${name}', _${name}, (call) => { _${name} = call; });`;
#else
    own[`${name}__postset`] = `${before};_${name} = EXTMEMFS_BRIDGE.relay('${name}', '${signature}', _${name});`;
#endif
  }
#endif
})();
