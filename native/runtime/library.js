/**
 * The part of the libraries that every program has: it attaches each thread to the pool, and makes `Module.extmemfs`.
 *
 * The memory of the pool reaches the threads by one message, posted to each worker before Emscripten's own first message,
 * so that a thread is attached before it runs any of the program.
 */
var ExtMemFSRuntime = {
  // The library itself, as one function that is called once in each thread.
  $extmemfsBundle: () => {
    /*EXTMEMFS_BUNDLE*/
  },

  $EXTMEMFS__deps: [
    '$extmemfsBundle',
    '$stackSave',
    '$stackRestore',
    '$stackAlloc',
    '$stringToUTF8',
    '$lengthBytesUTF8',
#if PTHREADS
    '$PThread',
#endif
  ],
  $EXTMEMFS__postset: () => {
    addAtExit('EXTMEMFS.end();');
    return 'EXTMEMFS.start();';
  },
  $EXTMEMFS: {
    // Emscripten's own calls, by the names of the system calls without prefix: libraries add theirs.
    calls: {},
    // What libraries do once a thread is attached.
    whenAttached: [],
    library: undefined,
    thread: undefined,
    system: undefined,

    start() {
      EXTMEMFS.library = extmemfsBundle();
#if PTHREADS
      if (ENVIRONMENT_IS_PTHREAD) {
        var next = self.onmessage;
        self.onmessage = (e) => {
          var message = e.data?.extmemfs;
          if (!message) return next(e);
          // The program's message handlers take over again, and stay.
          self.onmessage = next;
          EXTMEMFS.attached(EXTMEMFS.library.attachThread(message, EXTMEMFS.host()));
        };
        return;
      }
      var load = PThread.loadWasmModuleToWorker;
      PThread.loadWasmModuleToWorker = (worker) => {
        worker.postMessage({ extmemfs: EXTMEMFS.thread.message });
        return load(worker);
      };
#endif
      EXTMEMFS.attached(EXTMEMFS.library.attachMain(Module['extmemfs'], Module['extmemfsOptions'], EXTMEMFS.host()));
    },

    attached(thread) {
      EXTMEMFS.thread = thread;
      EXTMEMFS.system = thread.program.system;
      Module['extmemfs'] = thread.fs;
      for (var action of EXTMEMFS.whenAttached) action(thread);
    },

    // The program has ended: what it has open is closed, its threads are fenced.
    end() {
#if PTHREADS
      if (ENVIRONMENT_IS_PTHREAD) return;
#endif
#if hasExportedSymbol('fflush')
      // What streams of the C library still hold is written while their descriptors are open.
      _fflush(0);
#endif
      EXTMEMFS.thread.fs.detach();
    },

    host() {
      return {
        memory: () => wasmMemory,
        abi: {{{ JSON.stringify({
          pointerBytes: POINTER_SIZE,
          stat: C_STRUCTS.stat,
          statfs: C_STRUCTS.statfs,
          dirent: C_STRUCTS.dirent,
          iovec: C_STRUCTS.iovec,
          timespec: C_STRUCTS.timespec,
          pollfd: C_STRUCTS.pollfd,
          fdstat: C_STRUCTS.__wasi_fdstat_t,
        }) }}},
        calls: EXTMEMFS.calls,
        withString(text, call) {
          var stack = stackSave();
          var bytes = lengthBytesUTF8(text) + 1;
          var pointer = stackAlloc(bytes);
          stringToUTF8(text, pointer, bytes);
          var result = call(pointer);
          stackRestore(stack);
          return result;
        },
        allocateMapping: (bytes) => EXTMEMFS.allocateMapping(bytes),
      };
    },

    allocateMapping: () => 0,
  },
};

autoAddDeps(ExtMemFSRuntime, '$EXTMEMFS');
addToLibrary(ExtMemFSRuntime);
