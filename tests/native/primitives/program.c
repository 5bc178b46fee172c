/* What tests/native/primitives_test.ts has C do: `program COMMAND ADDRESS...`. Addresses of the pool are those of the
 * test, which JavaScript workers use at the same time. Prints what is wrong; exits with 1 if anything is. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#ifdef __EMSCRIPTEN_PTHREADS__
#include <pthread.h>
#endif

#include <extmemfs.h>

#define THREADS 4

static int failures;
static extmemfs_address arguments[8];

#define EXPECT(what, expected)                                                                       \
  do {                                                                                               \
    int64_t result_ = (int64_t)(what);                                                               \
    int64_t expected_ = (int64_t)(expected);                                                         \
    if (result_ != expected_) {                                                                      \
      failures++;                                                                                    \
      printf("line %d: %s is %" PRId64 ", not %" PRId64 "\n", __LINE__, #what, result_, expected_);  \
    }                                                                                                \
  } while (0)

/* Runs a function in THREADS threads at once, or once where there are none. */
static void in_threads(void *(*run)(void *)) {
#ifdef __EMSCRIPTEN_PTHREADS__
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) EXPECT(pthread_create(&threads[i], NULL, run, (void *)i), 0);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
#else
  run(NULL);
#endif
}

static uint32_t next_random(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  return *state ^= *state << 5;
}

/* -- counter: mutex, counter, owner, overlaps, rounds ----------------------------------------------------------------- */

static void *count(void *unused) {
  (void)unused;
  extmemfs_address mutex = arguments[0], counter = arguments[1], owner = arguments[2], overlaps = arguments[3];
  uint32_t self = extmemfs_agent_id();
  for (extmemfs_address round = 0; round < arguments[4]; round++) {
    int how;
    if (round % 3 == 0) {
      while ((how = extmemfs_mutex_try_lock(mutex)) == -EBUSY) {}
    } else if (round % 3 == 1) {
      how = extmemfs_mutex_timed_lock(mutex, 60000);
    } else {
      how = extmemfs_mutex_lock(mutex);
    }
    if (how != 0) EXPECT(how, 0);
    extmemfs_store32(owner, self);
    /* Not one addition: whoever else were inside would be lost. */
    int64_t value = extmemfs_load32(counter);
    for (volatile int spin = 0; spin < 20; spin++) {}
    if (extmemfs_load32(owner) != self) extmemfs_add32(overlaps, 1);
    extmemfs_store32(counter, (uint32_t)value + 1);
    if ((how = extmemfs_mutex_unlock(mutex)) != 0) EXPECT(how, 0);
  }
  return NULL;
}

/* -- list: lock, head, faults, rounds --------------------------------------------------------------------------------- */

/* The head: the first node's address and the number of nodes; a node: the next one's address, its number, its inverse. */
struct node {
  uint64_t next;
  uint32_t number;
  uint32_t inverse;
};

static void read_list(void) {
  struct { uint64_t first; uint32_t count; } head;
  EXPECT(extmemfs_read(arguments[1], &head, 12), 0);
  uint32_t found = 0;
  for (uint64_t at = head.first; at != 0 && found <= head.count; found++) {
    struct node node;
    if (extmemfs_read(at, &node, sizeof node) != 0 || node.number != ~node.inverse) {
      extmemfs_add32(arguments[2], 1);
      return;
    }
    at = node.next;
  }
  if (found != head.count) extmemfs_add32(arguments[2], 1);
}

static void change_list(uint32_t random) {
  struct { uint64_t first; uint32_t count; } head;
  EXPECT(extmemfs_read(arguments[1], &head, 12), 0);
  struct node node;
  if (head.count < 20 && (random & 1) != 0) {
    int64_t block = extmemfs_allocate(sizeof node, 0);
    if (block < 0) { EXPECT(block, 0); return; }
    node.next = head.first;
    node.number = random;
    node.inverse = ~random;
    EXPECT(extmemfs_write((extmemfs_address)block, &node, sizeof node), 0);
    head.first = (uint64_t)block;
    head.count++;
  } else if (head.count > 0) {
    EXPECT(extmemfs_read(head.first, &node, sizeof node), 0);
    EXPECT(extmemfs_free(head.first), 0);
    head.first = node.next;
    head.count--;
  }
  EXPECT(extmemfs_write(arguments[1], &head, 12), 0);
}

static void *list(void *unused) {
  (void)unused;
  uint32_t random = 0x9e3779b9u * extmemfs_agent_id();
  for (extmemfs_address round = 0; round < arguments[3]; round++) {
    int how;
    if (next_random(&random) % 4 != 0) {
      how = round % 2 ? extmemfs_rwlock_read_lock(arguments[0]) : extmemfs_rwlock_timed_read_lock(arguments[0], 60000);
      if (how != 0) EXPECT(how, 0);
      read_list();
      EXPECT(extmemfs_rwlock_read_unlock(arguments[0]), 0);
    } else {
      how = round % 2 ? extmemfs_rwlock_write_lock(arguments[0]) : extmemfs_rwlock_timed_write_lock(arguments[0], 60000);
      if (how != 0) EXPECT(how, 0);
      change_list(next_random(&random));
      EXPECT(extmemfs_rwlock_write_unlock(arguments[0]), 0);
    }
  }
  return NULL;
}

/* -- pingpong: mutex, condition, turn, rounds, start, end -------------------------------------------------------------- */

static void pingpong(void) {
  EXPECT(extmemfs_event_timed_wait(arguments[4], 60000), 0);
  EXPECT(extmemfs_mutex_lock(arguments[0]), 0);
  for (extmemfs_address round = 0; round < arguments[3]; round++) {
    while (extmemfs_load32(arguments[2]) % 2 != 1) {
      int how = extmemfs_condition_timed_wait(arguments[1], arguments[0], 60000);
      if (how != 0) { EXPECT(how, 0); break; }
    }
    extmemfs_add32(arguments[2], 1);
    EXPECT(round % 2 ? extmemfs_condition_notify_one(arguments[1]) : extmemfs_condition_notify_all(arguments[1]), 0);
  }
  EXPECT(extmemfs_mutex_unlock(arguments[0]), 0);
  EXPECT(extmemfs_event_set(arguments[5]), 0);
}

/* -- allocate: slots, number of slots, rounds -------------------------------------------------------------------------- */

/* A block begins with its length and its key, and is filled with the key's lowest byte. */
static int64_t filled(size_t bytes, uint32_t key, size_t alignment) {
  int64_t block = extmemfs_allocate(bytes, alignment);
  if (block < 0) return block;
  if (alignment != 0) EXPECT(block % (int64_t)alignment, 0);
  unsigned char *data = malloc(bytes);
  memset(data, (int)(key & 255), bytes);
  memcpy(data, &(uint32_t[]){(uint32_t)bytes, key}, 8);
  EXPECT(extmemfs_write((extmemfs_address)block, data, bytes), 0);
  free(data);
  return block;
}

static void verify(extmemfs_address block, int grow) {
  uint32_t head[2];
  EXPECT(extmemfs_read(block, head, 8), 0);
  EXPECT(extmemfs_usable_size(block) >= head[0], 1);
  if (grow) {
    int64_t moved = extmemfs_reallocate(block, head[0] * 2, 0);
    if (moved < 0) { EXPECT(moved, 0); return; }
    block = (extmemfs_address)moved;
  }
  unsigned char *data = malloc(head[0]);
  EXPECT(extmemfs_read(block, data, head[0]), 0);
  EXPECT(memcmp(data, head, 8), 0);
  for (uint32_t i = 8; i < head[0]; i++) {
    if (data[i] != (head[1] & 255)) { EXPECT(data[i], head[1] & 255); break; }
  }
  free(data);
  EXPECT(extmemfs_free(block), 0);
}

static void *allocate(void *unused) {
  (void)unused;
  uint32_t random = 0x85ebca6bu * extmemfs_agent_id();
  for (extmemfs_address round = 0; round < arguments[2]; round++) {
    extmemfs_address slot = arguments[0] + 4 * (next_random(&random) % arguments[1]);
    size_t bytes = 8 + (next_random(&random) % 16 == 0 ? next_random(&random) % 60000 : next_random(&random) % 300);
    int64_t block = filled(bytes, next_random(&random), round % 8 == 0 ? 256 : 0);
    if (block < 0) { EXPECT(block, 0); break; }
    /* Whatever was in the slot, of whomever, is taken out and freed. Refs: addresses divided by 16. */
    for (;;) {
      int64_t old = extmemfs_load32(slot);
      if (extmemfs_compare_exchange32(slot, (uint32_t)old, (uint32_t)(block / EXTMEMFS_GRANULE_BYTES)) != old) continue;
      if (old != 0) verify((extmemfs_address)old * EXTMEMFS_GRANULE_BYTES, round % 4 == 0);
      break;
    }
  }
  return NULL;
}

/* -- nonsense ----------------------------------------------------------------------------------------------------------- */

static void nonsense(void) {
  const extmemfs_address outside = (extmemfs_address)1 << 40, huge = ~(extmemfs_address)0;
  extmemfs_address block = (extmemfs_address)extmemfs_allocate(1024, 64);
  char buffer[64] = "";
  void *wild = (void *)(uintptr_t)0xfffffff0u;

  EXPECT(extmemfs_read(block, NULL, 8), -EFAULT);
  EXPECT(extmemfs_read(block, wild, 64), -EFAULT);
  EXPECT(extmemfs_read(block, buffer, (size_t)-1), -EFAULT);
  EXPECT(extmemfs_read(outside, buffer, 8), -EFAULT);
  EXPECT(extmemfs_read(huge, buffer, 8), -EFAULT);
  EXPECT(extmemfs_read(block, NULL, 0), 0);
  EXPECT(extmemfs_write(block, NULL, 8), -EFAULT);
  EXPECT(extmemfs_write(0, buffer, 8), -EFAULT);
  EXPECT(extmemfs_write(outside, buffer, 8), -EFAULT);
  EXPECT(extmemfs_load32(0), EXTMEMFS_MAGIC_0);
  EXPECT(extmemfs_store32(0, 1), -EFAULT);
  EXPECT(extmemfs_add32(0, 1), -EFAULT);
  EXPECT(extmemfs_load32(block + 2), -EINVAL);
  EXPECT(extmemfs_load32(outside), -EFAULT);
  EXPECT(extmemfs_load32(huge), -EFAULT);
  EXPECT(extmemfs_store32(64, 1), -EFAULT);
  EXPECT(extmemfs_add32(block + 1, 1), -EINVAL);
  EXPECT(extmemfs_compare_exchange32(outside, 0, 1), -EFAULT);
  EXPECT(extmemfs_wait32(block + 3, 0, 1), -EINVAL);
  EXPECT(extmemfs_wait32(block, 0, -1), -EINVAL);
  EXPECT(extmemfs_wait32(block, 0, __builtin_nan("")), -EINVAL);
  EXPECT(extmemfs_notify32(outside, 1), -EFAULT);

  EXPECT(extmemfs_store32(block, 0xffffffffu), 0);
  EXPECT(extmemfs_load32(block), 0xffffffffLL);
  EXPECT(extmemfs_add32(block, 3), 0xffffffffLL);
  EXPECT(extmemfs_load32(block), 2);
  EXPECT(extmemfs_compare_exchange32(block, 1, 9), 2);
  EXPECT(extmemfs_compare_exchange32(block, 2, 9), 2);
  EXPECT(extmemfs_load32(block), 9);
  EXPECT(extmemfs_wait32(block, 8, EXTMEMFS_FOREVER), 1);
  EXPECT(extmemfs_wait32(block, 9, 5), -ETIMEDOUT);
  EXPECT(extmemfs_notify32(block, EXTMEMFS_ALL), 0);

  EXPECT(extmemfs_allocate(0, 0), -EINVAL);
  EXPECT(extmemfs_allocate(8, 3), -EINVAL);
  EXPECT(extmemfs_allocate(8, 8192), -EINVAL);
  EXPECT(extmemfs_allocate((size_t)-1, 0), -ENOSPC);
  EXPECT(extmemfs_reallocate(block + 16, 8, 0), -EINVAL);
  EXPECT(extmemfs_reallocate(outside, 8, 0), -EINVAL);
  EXPECT(extmemfs_reallocate(block, 0, 0), -EINVAL);
  EXPECT(extmemfs_free(0), 0);
  EXPECT(extmemfs_free(block + 8), -EINVAL);
  EXPECT(extmemfs_free(outside), -EINVAL);
  EXPECT(extmemfs_usable_size(block + 16), -EINVAL);
  EXPECT(extmemfs_usable_size(block) >= 1024, 1);
  int64_t other = extmemfs_reallocate(0, 100, 0);
  EXPECT(extmemfs_free((extmemfs_address)other), 0);
  EXPECT(extmemfs_free((extmemfs_address)other), -EINVAL);

  EXPECT(extmemfs_mutex_init(block + 4), -EINVAL);
  EXPECT(extmemfs_mutex_init(0), -EFAULT);
  EXPECT(extmemfs_mutex_lock(0), -EFAULT);
  EXPECT(extmemfs_mutex_lock(block + 4), -EINVAL);
  EXPECT(extmemfs_mutex_lock(outside), -EFAULT);
  EXPECT(extmemfs_mutex_init(block), 0);
  EXPECT(extmemfs_mutex_unlock(block), -EPERM);
  EXPECT(extmemfs_mutex_timed_lock(block, -1), -EINVAL);
  EXPECT(extmemfs_mutex_lock(block), 0);
  EXPECT(extmemfs_mutex_lock(block), -EDEADLK);
  EXPECT(extmemfs_mutex_timed_lock(block, 1000), -EDEADLK);
  EXPECT(extmemfs_mutex_try_lock(block), -EBUSY);
  EXPECT(extmemfs_mutex_init(block), -EBUSY);
  EXPECT(extmemfs_condition_wait(block + 64, block + 128), -EPERM);
  EXPECT(extmemfs_condition_init(block + 64), 0);
  EXPECT(extmemfs_condition_timed_wait(block + 64, block, 5), -ETIMEDOUT);
  EXPECT(extmemfs_condition_timed_wait(block + 64, block, -5), -EINVAL);
  EXPECT(extmemfs_condition_notify_all(block + 68), -EINVAL);
  EXPECT(extmemfs_condition_notify_one(0), -EFAULT);
  EXPECT(extmemfs_mutex_unlock(block), 0);
  EXPECT(extmemfs_mutex_unlock(block), -EPERM);

  EXPECT(extmemfs_rwlock_init(block + 256), 0);
  EXPECT(extmemfs_rwlock_init(block + 260), -EINVAL);
  EXPECT(extmemfs_rwlock_read_unlock(block + 256), -EPERM);
  EXPECT(extmemfs_rwlock_write_unlock(block + 256), -EPERM);
  EXPECT(extmemfs_rwlock_read_lock(block + 256), 0);
  EXPECT(extmemfs_rwlock_try_read_lock(block + 256), 0);
  EXPECT(extmemfs_rwlock_write_lock(block + 256), -EDEADLK);
  EXPECT(extmemfs_rwlock_try_write_lock(block + 256), -EBUSY);
  EXPECT(extmemfs_rwlock_init(block + 256), -EBUSY);
  EXPECT(extmemfs_rwlock_read_unlock(block + 256), 0);
  EXPECT(extmemfs_rwlock_read_unlock(block + 256), 0);
  EXPECT(extmemfs_rwlock_read_unlock(block + 256), -EPERM);
  EXPECT(extmemfs_rwlock_write_lock(block + 256), 0);
  EXPECT(extmemfs_rwlock_read_lock(block + 256), -EDEADLK);
  EXPECT(extmemfs_rwlock_write_unlock(block + 256), 0);

  EXPECT(extmemfs_event_init(block + 512), 0);
  EXPECT(extmemfs_event_is_set(block + 512), 0);
  EXPECT(extmemfs_event_timed_wait(block + 512, 0), -ETIMEDOUT);
  EXPECT(extmemfs_event_timed_wait(block + 512, 5), -ETIMEDOUT);
  EXPECT(extmemfs_event_set(block + 512), 0);
  EXPECT(extmemfs_event_is_set(block + 512), 1);
  EXPECT(extmemfs_event_wait(block + 512), 0);
  EXPECT(extmemfs_event_set(outside), -EFAULT);
  EXPECT(extmemfs_event_is_set(block + 516), -EINVAL);

  /* A block that is used for one kind of lock after another; more locks than a thread can hold; many addresses. */
  EXPECT(extmemfs_rwlock_init(block), 0);
  EXPECT(extmemfs_rwlock_write_lock(block), 0);
  EXPECT(extmemfs_rwlock_write_unlock(block), 0);
  EXPECT(extmemfs_event_init(block), 0);
  EXPECT(extmemfs_event_is_set(block), 0);
  EXPECT(extmemfs_mutex_init(block), 0);
  EXPECT(extmemfs_mutex_lock(block), 0);
  extmemfs_address many = (extmemfs_address)extmemfs_allocate(8 * 3000, 64);
  int held = 0;
  for (int i = 0; i < 3000; i++) {
    extmemfs_address at = many + 8 * (extmemfs_address)i;
    EXPECT(extmemfs_mutex_init(at), 0);
    if (i < 60) {
      int how = extmemfs_mutex_lock(at);
      if (how == 0) held++;
      else EXPECT(how, -ENOLCK);
      continue;
    }
    if (i == 60) EXPECT(extmemfs_mutex_unlock(many), 0);
    EXPECT(extmemfs_mutex_lock(at), 0);
    EXPECT(extmemfs_mutex_unlock(at), 0);
  }
  EXPECT(held, 39);
  for (int i = 1; i < held; i++) EXPECT(extmemfs_mutex_unlock(many + 8 * (extmemfs_address)i), 0);
  EXPECT(extmemfs_mutex_unlock(block), 0);
  EXPECT(extmemfs_free(many), 0);
  many = (extmemfs_address)extmemfs_allocate(EXTMEMFS_RWLOCK_BYTES * 16, 64);
  for (extmemfs_address i = 0; i < 16; i++) {
    EXPECT(extmemfs_rwlock_init(many + i * EXTMEMFS_RWLOCK_BYTES), 0);
    EXPECT(extmemfs_rwlock_read_lock(many + i * EXTMEMFS_RWLOCK_BYTES), i < 15 ? 0 : -ENOLCK);
  }
  for (extmemfs_address i = 0; i < 15; i++) EXPECT(extmemfs_rwlock_read_unlock(many + i * EXTMEMFS_RWLOCK_BYTES), 0);
  EXPECT(extmemfs_free(many), 0);
  EXPECT(extmemfs_free(block), 0);

  extmemfs_address created[] = {
    (extmemfs_address)extmemfs_mutex_create(),
    (extmemfs_address)extmemfs_rwlock_create(),
    (extmemfs_address)extmemfs_condition_create(),
    (extmemfs_address)extmemfs_event_create(),
  };
  EXPECT(extmemfs_mutex_lock(created[0]), 0);
  EXPECT(extmemfs_mutex_unlock(created[0]), 0);
  EXPECT(extmemfs_rwlock_read_lock(created[1]), 0);
  EXPECT(extmemfs_rwlock_read_unlock(created[1]), 0);
  EXPECT(extmemfs_condition_notify_all(created[2]), 0);
  EXPECT(extmemfs_event_is_set(created[3]), 0);
  for (int i = 0; i < 4; i++) EXPECT(extmemfs_free(created[i]), 0);

  uint32_t words[8], hash[8] = EXTMEMFS_COMPATIBILITY_HASH;
  EXPECT(extmemfs_read(EXTMEMFS_SUPERBLOCK_COMPATIBILITY_OFFSET, words, sizeof words), 0);
  EXPECT(memcmp(words, hash, sizeof words), 0);
  EXPECT(extmemfs_read(0, buffer, 8), 0);
  EXPECT(memcmp(buffer, "ExtMemFS", 8), 0);
  EXPECT(extmemfs_agent_id() > 0, 1);
}

/* -- files -------------------------------------------------------------------------------------------------------------- */

static void files(void) {
  char buffer[32];
  EXPECT(extmemfs_open(NULL, O_RDONLY), -EFAULT);
  EXPECT(extmemfs_open("/missing", O_RDONLY), -ENOENT);
  EXPECT(extmemfs_open("/missing/file", O_RDWR | O_CREAT, 0600), -ENOENT);
  EXPECT(extmemfs_close(77), -EBADF);
  EXPECT(extmemfs_size(77), -EBADF);
  EXPECT(extmemfs_pread(-1, buffer, 1, 0), -EBADF);
  EXPECT(extmemfs_pwrite(1, buffer, 1, 0), -EBADF);
  EXPECT(extmemfs_append(77, buffer, 1), -EBADF);
  EXPECT(extmemfs_flock(77, LOCK_EX), -EBADF);

  int fd = extmemfs_open("/file", O_RDWR | O_CREAT, 0640);
  EXPECT(fd >= 0, 1);
  EXPECT(extmemfs_pwrite(fd, "0123456789", 10, 5), 10);
  EXPECT(extmemfs_size(fd), 15);
  EXPECT(extmemfs_pread(fd, buffer, 32, 3), 12);
  EXPECT(memcmp(buffer, "\0\0" "0123456789", 12), 0);
  EXPECT(extmemfs_pread(fd, buffer, 32, 15), 0);
  EXPECT(extmemfs_pread(fd, NULL, 8, 0), -EFAULT);
  EXPECT(extmemfs_pread(fd, buffer, 8, -1), -EINVAL);
  EXPECT(extmemfs_pread(fd, buffer, 8, INT64_MAX), -EINVAL);
  EXPECT(extmemfs_pwrite(fd, NULL, 8, 0), -EFAULT);
  EXPECT(extmemfs_pwrite(fd, buffer, 8, INT64_MIN), -EINVAL);
  EXPECT(extmemfs_append(fd, "end", 3), 15);
  EXPECT(extmemfs_append(fd, "", 0), 18);
  EXPECT(extmemfs_size(fd), 18);
  EXPECT(extmemfs_truncate(fd, 4), 0);
  EXPECT(extmemfs_truncate(fd, -4), -EINVAL);
  EXPECT(extmemfs_truncate(fd, INT64_MAX), -EFBIG);
  EXPECT(extmemfs_truncate(fd, (int64_t)1 << 40), -EFBIG);
  EXPECT(extmemfs_size(fd), 4);
  /* Beyond 32 bits: a hole. */
  EXPECT(extmemfs_pwrite(fd, "far", 3, (int64_t)5 << 32), 3);
  EXPECT(extmemfs_size(fd), ((int64_t)5 << 32) + 3);
  EXPECT(extmemfs_pread(fd, buffer, 32, ((int64_t)5 << 32) + 1), 2);
  EXPECT(memcmp(buffer, "ar", 2), 0);

  int reader = extmemfs_open("/file", O_RDONLY);
  EXPECT(extmemfs_pwrite(reader, "x", 1, 0), -EBADF);
  EXPECT(extmemfs_append(reader, "x", 1), -EBADF);
  EXPECT(extmemfs_truncate(reader, 0), -EINVAL);
  EXPECT(extmemfs_flock(fd, LOCK_EX | LOCK_NB), 0);
  EXPECT(extmemfs_flock(reader, LOCK_SH | LOCK_NB), -EAGAIN);
  EXPECT(extmemfs_flock(fd, 99), -EINVAL);
  EXPECT(extmemfs_flock(fd, LOCK_UN), 0);
  EXPECT(extmemfs_flock(reader, LOCK_SH | LOCK_NB), 0);
  EXPECT(extmemfs_close(reader), 0);
  EXPECT(extmemfs_close(reader), -EBADF);
  int writer = extmemfs_open("/file", O_WRONLY | O_TRUNC | O_APPEND);
  EXPECT(extmemfs_pread(writer, buffer, 1, 0), -EBADF);
  EXPECT(extmemfs_pwrite(writer, "ab", 2, 0), 2);
  EXPECT(extmemfs_pwrite(writer, "cd", 2, 0), 2);
  EXPECT(extmemfs_size(fd), 4);
  EXPECT(extmemfs_close(writer), 0);
  int folder = extmemfs_open("/", O_RDONLY | O_DIRECTORY);
  EXPECT(extmemfs_pread(folder, buffer, 1, 0), -EISDIR);
  EXPECT(extmemfs_close(folder), 0);
  EXPECT(extmemfs_close(fd), 0);

#ifdef SYSTEM_CALLS
  /* The same descriptors as the C library's. */
  fd = open("/file", O_RDONLY);
  EXPECT(extmemfs_pread(fd, buffer, 32, 1), 3);
  EXPECT(memcmp(buffer, "bcd", 3), 0);
  int mine = extmemfs_open("/file", O_RDONLY);
  EXPECT(mine, fd + 1);
  EXPECT(read(mine, buffer, 32), 4);
  EXPECT(close(mine), 0);
  EXPECT(extmemfs_close(fd), 0);
  EXPECT(lseek(fd, 0, SEEK_CUR), -1);
#endif
}

/* -- held: mutex, rwlock, taken, release. Holds both until told. ------------------------------------------------------ */

static void held(void) {
  EXPECT(extmemfs_mutex_lock(arguments[0]), 0);
  EXPECT(extmemfs_rwlock_write_lock(arguments[1]), 0);
  EXPECT(extmemfs_event_set(arguments[2]), 0);
  EXPECT(extmemfs_event_timed_wait(arguments[3], 60000), 0);
  EXPECT(extmemfs_rwlock_write_unlock(arguments[1]), 0);
  EXPECT(extmemfs_mutex_unlock(arguments[0]), 0);
}

/* -- waits: mutex, rwlock. Somebody else holds both. ------------------------------------------------------------------- */

static void waits(void) {
  EXPECT(extmemfs_mutex_try_lock(arguments[0]), -EBUSY);
  EXPECT(extmemfs_mutex_timed_lock(arguments[0], 20), -ETIMEDOUT);
  EXPECT(extmemfs_mutex_timed_lock(arguments[0], 0), -ETIMEDOUT);
  EXPECT(extmemfs_mutex_unlock(arguments[0]), -EPERM);
  EXPECT(extmemfs_rwlock_try_read_lock(arguments[1]), -EBUSY);
  EXPECT(extmemfs_rwlock_timed_read_lock(arguments[1], 20), -ETIMEDOUT);
  EXPECT(extmemfs_rwlock_try_write_lock(arguments[1]), -EBUSY);
  EXPECT(extmemfs_rwlock_timed_write_lock(arguments[1], 20), -ETIMEDOUT);
}

/* -- served: the main thread waits for a mutex whose holder needs the main thread ------------------------------------- */

#ifdef __EMSCRIPTEN_PTHREADS__
#include <emscripten/threading.h>

static volatile int asked;
static void answer(void) { asked++; }

static void *ask(void *unused) {
  (void)unused;
  EXPECT(extmemfs_mutex_lock(arguments[0]), 0);
  EXPECT(extmemfs_event_set(arguments[1]), 0);
  usleep(20000);
  emscripten_sync_run_in_main_runtime_thread(EM_FUNC_SIG_V, answer);
  EXPECT(extmemfs_mutex_unlock(arguments[0]), 0);
  return NULL;
}

static void served(void) {
  pthread_t thread;
  EXPECT(pthread_create(&thread, NULL, ask, NULL), 0);
  EXPECT(extmemfs_event_wait(arguments[1]), 0);
  EXPECT(extmemfs_mutex_timed_lock(arguments[0], 20000), 0);
  EXPECT(asked, 1);
  EXPECT(extmemfs_mutex_unlock(arguments[0]), 0);
  pthread_join(thread, NULL);
}
#endif

int main(int argc, char **argv) {
  for (int i = 2; i < argc && i < 10; i++) arguments[i - 2] = strtoull(argv[i], NULL, 10);
  const char *command = argc > 1 ? argv[1] : "";
  if (strcmp(command, "counter") == 0) in_threads(count);
  else if (strcmp(command, "list") == 0) in_threads(list);
  else if (strcmp(command, "pingpong") == 0) pingpong();
  else if (strcmp(command, "allocate") == 0) in_threads(allocate);
  else if (strcmp(command, "nonsense") == 0) nonsense();
  else if (strcmp(command, "files") == 0) files();
  else if (strcmp(command, "held") == 0) held();
  else if (strcmp(command, "waits") == 0) waits();
#ifdef __EMSCRIPTEN_PTHREADS__
  else if (strcmp(command, "served") == 0) served();
#endif
  else EXPECT(!"a command", 1);
  if (failures > 0) printf("%d failures in '%s'\n", failures, command);
  return failures > 0;
}
