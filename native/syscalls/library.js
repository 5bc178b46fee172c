/**
 * The system-call library: takes the program's calls on files straight to the pool, in the thread that makes them.
 *
 * Each call that Emscripten's own library has is kept under another name, for descriptors and paths that lead to
 * Emscripten's own filesystem: standard streams, devices, pipes, sockets, what is mounted there.
 */
(() => {
  const own = LibraryManager.library;

  // Calls by the name that the system has them under, and what it is called with where that is not the original's list.
  const CALLS = [
    "openat",
    "mknodat",
    "mkdirat",
    "unlinkat",
    "rmdir",
    "renameat",
    "linkat",
    "symlinkat",
    "readlinkat",
    "chdir",
    "fchdir",
    "getcwd",
    "umask",
    "newfstatat",
    "stat64",
    "lstat64",
    "fstat64",
    "faccessat",
    "chmod",
    "fchmod",
    "fchmodat2",
    "fchown32",
    "fchownat",
    "utimensat",
    "truncate64",
    "ftruncate64",
    "fallocate",
    "fadvise64",
    "statfs64",
    "fstatfs64",
    "getdents64",
    "dup",
    "dup3",
    "fcntl64",
    "ioctl",
    "fdatasync",
    "poll",
    "poll_nonblocking",
    "pipe2",
    "socket",
    "accept4",
  ];
  const SOCKET_CALLS = [
    "getsockname",
    "getpeername",
    "connect",
    "shutdown",
    "bind",
    "listen",
    "recvfrom",
    "sendto",
    "getsockopt",
    "setsockopt",
    "sendmsg",
    "recvmsg",
  ];
  const WASI_CALLS = [
    "fd_read",
    "fd_write",
    "fd_pread",
    "fd_pwrite",
    "fd_seek",
    "fd_close",
    "fd_sync",
    "fd_fdstat_get",
  ];
  const MAPPING_CALLS = { _mmap_js: "mmap", _munmap_js: "munmap", _msync_js: "msync" };

  const added = {};

  // Keeps an original under another name, with all that is said about it but the width of its numbers: it is called from
  // JavaScript, with numbers as they are.
  function keep(original, name) {
    const kept = `extmemfs_host_${name}`;
    added[kept] = own[original];
    for (const decorator of ["deps", "sig", "proxy", "async", "nothrow", "postset", "docs"]) {
      const value = own[`${original}__${decorator}`];
      if (value !== undefined) added[`${kept}__${decorator}`] = value;
    }
    return kept;
  }

  function parametersOf(text) {
    const list = text.slice(text.indexOf("(") + 1, text.indexOf(")"));
    return list.split(",").map((name) => name.trim()).filter((name) => name !== "");
  }

  function take(original, name, call) {
    if (own[original] === undefined) return;
    const parameters = parametersOf(own[original].toString());
    const kept = keep(original, name);
    added[original] = eval(`(${parameters.join(", ")}) => ${call(parameters)}`);
    added[`${original}__deps`] = ["$EXTMEMFS", kept];
    added[`${original}__proxy`] = "none";
    added[`${original}__async`] = false;
    added[`${original}__nothrow`] = true;
    added[`${original}__postset`] = `EXTMEMFS.calls.${name} = _${kept};`;
  }

  for (const name of CALLS) {
    take(`__syscall_${name}`, name, (parameters) => `EXTMEMFS.system.${name}(${parameters.join(", ")})`);
  }
  for (const name of WASI_CALLS) {
    take(name, name, (parameters) => `EXTMEMFS.system.${name}(${parameters.join(", ")})`);
  }
  for (const name of SOCKET_CALLS) {
    take(`__syscall_${name}`, name, (parameters) => `EXTMEMFS.system.socketCall('${name}', ${parameters.join(", ")})`);
  }
  for (const [original, name] of Object.entries(MAPPING_CALLS)) {
    take(original, name, (parameters) => `EXTMEMFS.system.${name}(${parameters.join(", ")})`);
  }
  if (added._mmap_js !== undefined) {
    added._mmap_js__deps = [...added._mmap_js__deps, "$mmapAlloc", "emscripten_builtin_memalign"];
    added._mmap_js__postset += "EXTMEMFS.allocateMapping = mmapAlloc;";
  }

  // What the program brings along comes into the pool before it runs.
  added.$extmemfsPreloaded__deps = ['$EXTMEMFS'];
  added.$extmemfsPreloaded__postset = () => {
    addAtPreMain('extmemfsPreloaded();');
  };
  added.$extmemfsPreloaded = () => {
    if (typeof FS == 'undefined') return;
    EXTMEMFS.library.copyPreloaded(EXTMEMFS.thread.fs, EXTMEMFS.thread.program.mounts, FS);
  };
  if (added.__syscall_openat !== undefined) added.__syscall_openat__deps.push('$extmemfsPreloaded');

  addToLibrary(added);

  // What is kept is Emscripten's own, and may use what only Emscripten's own may.
  for (const name of Object.keys(added)) if (name.startsWith("extmemfs_host_")) delete own[`${name}__user`];
})();
