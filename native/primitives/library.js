/**
 * The part of the libraries behind `native/include/extmemfs.h`: files by descriptor, the pool's memory, its allocator and
 * its locks, in the thread that calls.
 */
(() => {
  // Name, signature, method. Signatures: result, then arguments; i int, j int64_t, p pointer or size_t, d double.
  const FILES = [
    ["open", "ipip", "open"],
    ["close", "ii", "close"],
    ["pread", "pippj", "pread"],
    ["pwrite", "pippj", "pwrite"],
    ["append", "jipp", "append"],
    ["size", "ji", "size"],
    ["truncate", "iij", "truncate"],
    ["flock", "iii", "flock"],
    ["read", "ijpp", "read"],
    ["write", "ijpp", "write"],
    ["agent_id", "i", "agentId"],
  ];
  // Addresses of the pool come as doubles, which are exact beyond any pool; 64-bit integers would come as BigInt objects,
  // which cost more than the lock that they lead to. The header converts.
  const NUMBERS = [
    ["load32", "dd", "load32"],
    ["store32", "idi", "store32"],
    ["add32", "ddi", "add32"],
    ["compare_exchange32", "ddii", "compareExchange32"],
    ["wait32", "idid", "wait32"],
    ["notify32", "idi", "notify32"],
    ["allocate", "ddd", "allocate"],
    ["reallocate", "dddd", "reallocate"],
    ["free", "id", "free"],
    ["usable_size", "dd", "usableSize"],
    ["mutex_create", "d", "locks.mutexCreate"],
    ["mutex_init", "id", "locks.mutexInit"],
    ["mutex_lock", "idd", "locks.mutexLock"],
    ["mutex_try_lock", "id", "locks.mutexTryLock"],
    ["mutex_unlock", "id", "locks.mutexUnlock"],
    ["rwlock_create", "d", "locks.rwlockCreate"],
    ["rwlock_init", "id", "locks.rwlockInit"],
    ["rwlock_read_lock", "idd", "locks.rwlockReadLock"],
    ["rwlock_try_read_lock", "id", "locks.rwlockTryReadLock"],
    ["rwlock_read_unlock", "id", "locks.rwlockReadUnlock"],
    ["rwlock_write_lock", "idd", "locks.rwlockWriteLock"],
    ["rwlock_try_write_lock", "id", "locks.rwlockTryWriteLock"],
    ["rwlock_write_unlock", "id", "locks.rwlockWriteUnlock"],
    ["condition_create", "d", "locks.conditionCreate"],
    ["condition_init", "id", "locks.conditionInit"],
    ["condition_wait", "iddd", "locks.conditionWait"],
    ["condition_notify", "idi", "locks.conditionNotify"],
    ["event_create", "d", "locks.eventCreate"],
    ["event_init", "id", "locks.eventInit"],
    ["event_set", "id", "locks.eventSet"],
    ["event_is_set", "id", "locks.eventIsSet"],
    ["event_wait", "idd", "locks.eventWait"],
  ];

  const added = {
    $EXTMEMFS_PRIMITIVES__deps: [
      "$EXTMEMFS",
#if PTHREADS
      "emscripten_main_thread_process_queued_calls",
#endif
    ],
    $EXTMEMFS_PRIMITIVES__postset: "EXTMEMFS_PRIMITIVES.start();",
    $EXTMEMFS_PRIMITIVES: {
      locks: undefined,
      all: undefined,

      // The first thread is attached by now, further ones by their first message.
      start() {
        if (EXTMEMFS.thread) EXTMEMFS_PRIMITIVES.attached(EXTMEMFS.thread);
        else EXTMEMFS.whenAttached.push(EXTMEMFS_PRIMITIVES.attached);
      },

      attached(thread) {
        EXTMEMFS_PRIMITIVES.all = EXTMEMFS.library.attachPrimitives(thread, {
          memory: () => wasmMemory,
          pointerBytes: {{{ POINTER_SIZE }}},
#if PTHREADS
          serve: ENVIRONMENT_IS_PTHREAD ? undefined : () => _emscripten_main_thread_process_queued_calls(),
#endif
        });
        EXTMEMFS_PRIMITIVES.locks = EXTMEMFS_PRIMITIVES.all.locks;
      },
    },
  };

  function add(symbol, signature, method) {
    const parameters = Array.from({ length: signature.length - 1 }, (_, index) => `a${index}`).join(", ");
    const object = method.startsWith("locks.") ? "EXTMEMFS_PRIMITIVES" : "EXTMEMFS_PRIMITIVES.all";
    added[symbol] = eval(`(${parameters}) => ${object}.${method}(${parameters})`);
    added[`${symbol}__sig`] = signature;
    added[`${symbol}__deps`] = ["$EXTMEMFS_PRIMITIVES"];
    added[`${symbol}__proxy`] = "none";
    added[`${symbol}__nothrow`] = true;
    if (signature.includes("j")) added[`${symbol}__i53abi`] = true;
  }

  for (const [name, signature, method] of FILES) add(`extmemfs_${name}`, signature, method);
  for (const [name, signature, method] of NUMBERS) add(`extmemfs_js_${name}`, signature, method);

  addToLibrary(added);
})();
