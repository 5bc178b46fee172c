/*
 * ExtMemFS for programs compiled with Emscripten: what the pool has beyond the C library's calls on files.
 *
 * The pool is one shared WebAssembly.Memory beside the program's own. Files, blocks and locks in it are the same for all
 * threads of all programs and for all JavaScript workers that are attached to it, at the same addresses, at once.
 *
 *     #include <extmemfs.h>
 *
 *     extmemfs_address mutex = (extmemfs_address)extmemfs_mutex_create();   // JavaScript: new Mutex(fs.pool, address)
 *     extmemfs_mutex_lock(mutex);
 *     extmemfs_add32(counter, 1);
 *     extmemfs_mutex_unlock(mutex);
 *
 * Link with `--js-library library_extmemfs.js` (system calls) or `library_extmemfs_wasmfs.js` (WasmFS); see
 * native/README.md. C11 or C++, MEMORY64 or not.
 *
 * Every function may be called in any thread, and does its work in that thread. None sets errno: what fails returns a
 * negated error number of <errno.h>, such as -EINVAL. Common to all:
 *
 *     -EFAULT     a pointer outside of the program's memory, or an address outside of the pool
 *     -EINVAL     an address that is not aligned as it has to be, or another argument that makes no sense
 *     -EIDRM      this thread's attachment to the pool has been retired (`FileSystem.retire`) or has ended
 *     -EROFS      the program is attached read-only (`Module.extmemfsOptions = { readOnly: true }`)
 *     -EAGAIN     this thread may not block (a browser's main thread), and waited in vain for a while
 *
 * A thread that waits here sleeps. The program's main thread also does, meanwhile, what its other threads ask of it (not
 * in `extmemfs_flock`: let other threads wait for files).
 */
#ifndef EXTMEMFS_H
#define EXTMEMFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "extmemfs_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An address in the pool: bytes from its beginning. The same number in every program and in JavaScript. 0 is none. */
typedef uint64_t extmemfs_address;

/* A timeout that never ends. Timeouts are in milliseconds, fractions too; below 0 or NaN is -EINVAL. */
#define EXTMEMFS_FOREVER (__builtin_inf())

/* What `extmemfs_notify32` wakes: all. */
#define EXTMEMFS_ALL 0xffffffffu

/* The number of this thread's attachment to the pool, as `FileSystem.agentId` and `FileSystem.retire` have it. */
uint32_t extmemfs_agent_id(void);

/* -- Files ------------------------------------------------------------------------------------------------------------
 *
 * Descriptors of the program. Linked with library_extmemfs.js they are the C library's own numbers: `open` and
 * `extmemfs_open` are two ways to the same table. In WasmFS builds they are a table of their own, for these functions only.
 *
 * Reading and writing say where, and leave the file's position alone: threads can share a descriptor without a lock. Each
 * call is atomic towards all others of anybody on that file, and moves all bytes or, with an error, none; reading ends
 * at the end of the file. -EBADF: not a descriptor of a file of the pool, or not opened for that. */

/* Opens a file. Path, flags and mode are those of `open`. Returns a descriptor. */
int extmemfs_open(const char *path, int flags, ...);

/* Closes a descriptor. */
int extmemfs_close(int fd);

/* Reads at a position. Returns how many bytes: fewer than asked for only where the file ends. */
ssize_t extmemfs_pread(int fd, void *to, size_t bytes, int64_t position);

/* Writes at a position; to a file opened with O_APPEND at its end. Returns `bytes`. -ENOSPC: the pool is full. */
ssize_t extmemfs_pwrite(int fd, const void *from, size_t bytes, int64_t position);

/* Writes at the end, whatever the flags, and whoever else appends. Returns the position at which the bytes begin. */
int64_t extmemfs_append(int fd, const void *from, size_t bytes);

/* Returns the length of an open file. */
int64_t extmemfs_size(int fd);

/* Changes the length of an open file; what is added reads as zeros. */
int extmemfs_truncate(int fd, int64_t length);

/* Locks a file as `flock` does: LOCK_SH, LOCK_EX or LOCK_UN of <sys/file.h>, with LOCK_NB. The lock belongs to the open
 * file; it excludes other programs and JavaScript's `flockSync`. -EAGAIN: LOCK_NB, and somebody else has it. */
int extmemfs_flock(int fd, int operation);

/* -- Memory of the pool ------------------------------------------------------------------------------------------------
 *
 * Copying orders nothing: what others may be writing at the same time has to be guarded, by a lock or by a word. Anything
 * may be read; the pool's own head, below the first block, is not for writing (-EFAULT). */

/* Copies bytes of the pool into the program's memory. Returns 0. */
int extmemfs_read(extmemfs_address from, void *to, size_t bytes);

/* Copies bytes of the program's memory into the pool. Returns 0. */
int extmemfs_write(extmemfs_address to, const void *from, size_t bytes);

/* What follows is done in static functions below: addresses cross to JavaScript as doubles, exact up to 2^53, because
 * 64-bit integers would become objects there, at a higher price than that of most calls. */
double extmemfs_js_load32(double at);
int extmemfs_js_store32(double at, uint32_t value);
double extmemfs_js_add32(double at, uint32_t value);
double extmemfs_js_compare_exchange32(double at, uint32_t expected, uint32_t value);
int extmemfs_js_wait32(double at, uint32_t expected, double timeout_ms);
int extmemfs_js_notify32(double at, uint32_t count);
double extmemfs_js_allocate(double bytes, double alignment);
double extmemfs_js_reallocate(double block, double bytes, double alignment);
int extmemfs_js_free(double block);
double extmemfs_js_usable_size(double block);
double extmemfs_js_mutex_create(void);
int extmemfs_js_mutex_init(double mutex);
int extmemfs_js_mutex_lock(double mutex, double timeout_ms);
int extmemfs_js_mutex_try_lock(double mutex);
int extmemfs_js_mutex_unlock(double mutex);
double extmemfs_js_rwlock_create(void);
int extmemfs_js_rwlock_init(double lock);
int extmemfs_js_rwlock_read_lock(double lock, double timeout_ms);
int extmemfs_js_rwlock_try_read_lock(double lock);
int extmemfs_js_rwlock_read_unlock(double lock);
int extmemfs_js_rwlock_write_lock(double lock, double timeout_ms);
int extmemfs_js_rwlock_try_write_lock(double lock);
int extmemfs_js_rwlock_write_unlock(double lock);
double extmemfs_js_condition_create(void);
int extmemfs_js_condition_init(double condition);
int extmemfs_js_condition_wait(double condition, double mutex, double timeout_ms);
int extmemfs_js_condition_notify(double condition, int all);
double extmemfs_js_event_create(void);
int extmemfs_js_event_init(double event);
int extmemfs_js_event_set(double event);
int extmemfs_js_event_is_set(double event);
int extmemfs_js_event_wait(double event, double timeout_ms);

/* Words of 32 bits at multiples of 4, one after the other for all (sequentially consistent). Where a word is returned it
 * is 0 to 2^32 - 1, so that errors stay apart. */

/* Returns a word. */
static inline int64_t extmemfs_load32(extmemfs_address at) { return (int64_t)extmemfs_js_load32((double)at); }

/* Stores a word. Returns 0. */
static inline int extmemfs_store32(extmemfs_address at, uint32_t value) {
  return extmemfs_js_store32((double)at, value);
}

/* Adds to a word, modulo 2^32. Returns what it was. */
static inline int64_t extmemfs_add32(extmemfs_address at, uint32_t value) {
  return (int64_t)extmemfs_js_add32((double)at, value);
}

/* Stores `value` if the word is `expected`. Returns what it was: `expected` if `value` has been stored. */
static inline int64_t extmemfs_compare_exchange32(extmemfs_address at, uint32_t expected, uint32_t value) {
  return (int64_t)extmemfs_js_compare_exchange32((double)at, expected, value);
}

/* Sleeps while the word is `expected`, until notified. Returns 0 when woken (perhaps for nothing: look again), 1 if the
 * word was another, -ETIMEDOUT. JavaScript's `Atomics.wait` and `Atomics.notify` work on the same words. */
static inline int extmemfs_wait32(extmemfs_address at, uint32_t expected, double timeout_ms) {
  return extmemfs_js_wait32((double)at, expected, timeout_ms);
}

/* Wakes at most `count` threads that sleep on the word (EXTMEMFS_ALL: all). Returns how many. */
static inline int extmemfs_notify32(extmemfs_address at, uint32_t count) {
  return extmemfs_js_notify32((double)at, count);
}

/* -- Allocator ---------------------------------------------------------------------------------------------------------
 *
 * Blocks of the pool: JavaScript's `fs.pool.allocator`. Any thread may free what any other has allocated. */

/* Allocates a block; what it holds is undefined. `alignment`: a power of two up to 4096; 0 is 16. Returns its address.
 * -ENOSPC: the pool is full. -EINVAL: 0 bytes. */
static inline int64_t extmemfs_allocate(size_t bytes, size_t alignment) {
  return (int64_t)extmemfs_js_allocate((double)bytes, (double)alignment);
}

/* Changes the length of a block and keeps what it holds. Returns its address from now on; on failure it stays as it was.
 * Block 0 allocates. -EINVAL: no block in use has that address. */
static inline int64_t extmemfs_reallocate(extmemfs_address block, size_t bytes, size_t alignment) {
  return (int64_t)extmemfs_js_reallocate((double)block, (double)bytes, (double)alignment);
}

/* Frees a block; 0 is none. Returns 0. -EINVAL: no block in use has that address, and nothing was changed. */
static inline int extmemfs_free(extmemfs_address block) { return extmemfs_js_free((double)block); }

/* Returns how many bytes of a block may be used: at least as many as were asked for. */
static inline int64_t extmemfs_usable_size(extmemfs_address block) {
  return (int64_t)extmemfs_js_usable_size((double)block);
}

/* -- Locks -------------------------------------------------------------------------------------------------------------
 *
 * Those of JavaScript, by their addresses: `new Mutex(fs.pool, address)` there is the same mutex as `address` here.
 *
 * `..._create` allocates one on cache lines of its own and returns its address; `extmemfs_free` gives it back. `..._init`
 * makes one of EXTMEMFS_..._BYTES that the caller has allocated, at a multiple of EXTMEMFS_LOCK_ALIGNMENT; zero bytes are
 * one without it. Nobody may use a lock any more when it is freed, or is made anew: -EBUSY if this thread still holds it.
 *
 * Taking a lock returns 0, or:
 *
 *     -ETIMEDOUT  the time is over
 *     -EBUSY      `..._try_...`: not to be had at once
 *     -EDEADLK    this thread itself holds it
 *     -ENOLCK     this thread holds 40 locks, or reads under 15: as many as it can
 *
 * A thread releases what it holds itself: -EPERM otherwise. */

static inline int64_t extmemfs_mutex_create(void) { return (int64_t)extmemfs_js_mutex_create(); }
static inline int extmemfs_mutex_init(extmemfs_address mutex) { return extmemfs_js_mutex_init((double)mutex); }

/* Takes the mutex; sleeps while another thread has it. */
static inline int extmemfs_mutex_lock(extmemfs_address mutex) {
  return extmemfs_js_mutex_lock((double)mutex, EXTMEMFS_FOREVER);
}
static inline int extmemfs_mutex_timed_lock(extmemfs_address mutex, double timeout_ms) {
  return extmemfs_js_mutex_lock((double)mutex, timeout_ms);
}
static inline int extmemfs_mutex_try_lock(extmemfs_address mutex) {
  return extmemfs_js_mutex_try_lock((double)mutex);
}
static inline int extmemfs_mutex_unlock(extmemfs_address mutex) { return extmemfs_js_mutex_unlock((double)mutex); }

/* Read-write locks: many read, or one writes. A thread that reads may read once more, but not write (-EDEADLK). */
static inline int64_t extmemfs_rwlock_create(void) { return (int64_t)extmemfs_js_rwlock_create(); }
static inline int extmemfs_rwlock_init(extmemfs_address lock) { return extmemfs_js_rwlock_init((double)lock); }
static inline int extmemfs_rwlock_read_lock(extmemfs_address lock) {
  return extmemfs_js_rwlock_read_lock((double)lock, EXTMEMFS_FOREVER);
}
static inline int extmemfs_rwlock_timed_read_lock(extmemfs_address lock, double timeout_ms) {
  return extmemfs_js_rwlock_read_lock((double)lock, timeout_ms);
}
static inline int extmemfs_rwlock_try_read_lock(extmemfs_address lock) {
  return extmemfs_js_rwlock_try_read_lock((double)lock);
}
static inline int extmemfs_rwlock_read_unlock(extmemfs_address lock) {
  return extmemfs_js_rwlock_read_unlock((double)lock);
}
static inline int extmemfs_rwlock_write_lock(extmemfs_address lock) {
  return extmemfs_js_rwlock_write_lock((double)lock, EXTMEMFS_FOREVER);
}
static inline int extmemfs_rwlock_timed_write_lock(extmemfs_address lock, double timeout_ms) {
  return extmemfs_js_rwlock_write_lock((double)lock, timeout_ms);
}
static inline int extmemfs_rwlock_try_write_lock(extmemfs_address lock) {
  return extmemfs_js_rwlock_try_write_lock((double)lock);
}
static inline int extmemfs_rwlock_write_unlock(extmemfs_address lock) {
  return extmemfs_js_rwlock_write_unlock((double)lock);
}

/* Conditions: threads sleep until another says that something they look at under a mutex has changed. */
static inline int64_t extmemfs_condition_create(void) { return (int64_t)extmemfs_js_condition_create(); }
static inline int extmemfs_condition_init(extmemfs_address condition) {
  return extmemfs_js_condition_init((double)condition);
}

/* Releases the mutex, sleeps until notified, and takes the mutex again; it is held afterwards whatever is returned, but
 * for -EIDRM. May wake for nothing: look again. -EPERM: this thread does not hold the mutex. */
static inline int extmemfs_condition_wait(extmemfs_address condition, extmemfs_address mutex) {
  return extmemfs_js_condition_wait((double)condition, (double)mutex, EXTMEMFS_FOREVER);
}
static inline int extmemfs_condition_timed_wait(extmemfs_address condition, extmemfs_address mutex, double timeout_ms) {
  return extmemfs_js_condition_wait((double)condition, (double)mutex, timeout_ms);
}

/* Wakes one that waits, or all. Usually called while the mutex is held. */
static inline int extmemfs_condition_notify_one(extmemfs_address condition) {
  return extmemfs_js_condition_notify((double)condition, 0);
}
static inline int extmemfs_condition_notify_all(extmemfs_address condition) {
  return extmemfs_js_condition_notify((double)condition, 1);
}

/* Events: something that happens once. It cannot be set back: take another. */
static inline int64_t extmemfs_event_create(void) { return (int64_t)extmemfs_js_event_create(); }
static inline int extmemfs_event_init(extmemfs_address event) { return extmemfs_js_event_init((double)event); }

/* Makes the event happen, and wakes all that wait. What was written before is seen by who sees the event. */
static inline int extmemfs_event_set(extmemfs_address event) { return extmemfs_js_event_set((double)event); }

/* 1 if the event has happened, 0 if not. */
static inline int extmemfs_event_is_set(extmemfs_address event) { return extmemfs_js_event_is_set((double)event); }
static inline int extmemfs_event_wait(extmemfs_address event) {
  return extmemfs_js_event_wait((double)event, EXTMEMFS_FOREVER);
}
static inline int extmemfs_event_timed_wait(extmemfs_address event, double timeout_ms) {
  return extmemfs_js_event_wait((double)event, timeout_ms);
}

#ifdef __cplusplus
}
#endif

#endif
