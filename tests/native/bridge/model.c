/* Reads and writes at seeded random places through the C library and extmemfs.h's functions, against a model in the heap.
 * Prints a hash of all that it has seen, then how many calls were not served by the bridge. The heap grows on the way;
 * somebody else makes the pool grow meanwhile.
 *
 *     model <seed> <steps>
 */
#include <errno.h>
#include <extmemfs.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __EMSCRIPTEN_PTHREADS__
#include <pthread.h>
#endif

/* How many calls of this thread JavaScript had to serve; -1 where there is no bridge. */
int extmemfs_bridge_slow_calls(void);

enum { FILES = 6, ROOM = 400000, IO = 24000, CHUNKS = 24, CHUNK = 3 << 20 };
#define GUARD 0x5a

struct file {
  char path[32];
  int rw, append, readonly, writeonly;
  int64_t position;
  size_t size;
  unsigned char *bytes;
};

static struct file files[FILES];
static unsigned char *io, *chunks[CHUNKS];
static unsigned char pattern[IO];
static int next_chunk, generation, calls;
static uint32_t state, hash = 2166136261u;

static uint32_t random32(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}
static size_t below(size_t limit) { return limit == 0 ? 0 : random32() % limit; }

static void note(int64_t value) {
  for (int i = 0; i < 8; i++) hash = (hash ^ (uint8_t)(value >> (8 * i))) * 16777619u;
}

static void fail(const char *what, int64_t actual, int64_t expected) {
  printf("FAILED %s: %lld, expected %lld\n", what, (long long)actual, (long long)expected);
  exit(1);
}
static void expect(const char *what, int64_t actual, int64_t expected) {
  note(actual);
  if (actual != expected) fail(what, actual, expected);
}
static void expect_error(const char *what, int64_t result, int number) {
  expect(what, result, -1);
  expect(what, errno, number);
}

static void open_all(struct file *file) {
  sprintf(file->path, "/model/%d.%d", (int)(file - files), generation++);
  file->rw = open(file->path, O_RDWR | O_CREAT | O_EXCL, 0644);
  file->append = open(file->path, O_RDWR | O_APPEND);
  file->readonly = open(file->path, O_RDONLY | O_CLOEXEC);
  file->writeonly = open(file->path, O_WRONLY);
  if (file->rw < 0 || file->append < 0 || file->readonly < 0 || file->writeonly < 0) fail("open", errno, 0);
  file->position = 0;
  file->size = 0;
}
static void close_all(struct file *file) {
  expect("close", close(file->rw) | close(file->append) | close(file->readonly) | close(file->writeonly), 0);
}

/* Small lengths often, large ones now and then. */
static size_t length(void) {
  switch (below(4)) {
    case 0: return below(17);
    case 1: return below(200);
    case 2: return below(5000);
    default: return below(IO - 64);
  }
}
static void model_write(struct file *file, size_t at, const void *from, size_t bytes) {
  if (bytes == 0) return;
  if (at > file->size) memset(file->bytes + file->size, 0, at - file->size);
  memcpy(file->bytes + at, from, bytes);
  if (at + bytes > file->size) file->size = at + bytes;
}
static size_t left(struct file *file, int64_t at, size_t bytes) {
  if (at >= (int64_t)file->size) return 0;
  size_t rest = file->size - at;
  return rest < bytes ? rest : bytes;
}
/* What was read, and that nothing behind it was touched. */
static void check_read(const char *what, struct file *file, int64_t at, size_t bytes, int64_t got, unsigned char *to) {
  expect(what, got, left(file, at, bytes));
  if (memcmp(to, file->bytes + at, got) != 0) fail(what, at, got);
  for (size_t i = got; i < bytes; i++) if (to[i] != GUARD) fail("bytes behind", i, got);
}
static size_t offset_of(struct file *file) {
  size_t limit = below(8) == 0 ? ROOM - IO : file->size + 1;
  if (limit > ROOM - IO) limit = ROOM - IO;
  return below(limit);
}

static void misuse(struct file *file) {
  int directory = open("/model", O_RDONLY | O_DIRECTORY);
  int closed = dup(file->rw);
  close(closed);
  calls += 12;
  expect_error("read of a directory", read(directory, io, 10), EISDIR);
  expect_error("write to a directory", write(directory, io, 10), EBADF);
  expect("close", close(directory), 0);
  expect_error("read of what is closed", read(closed, io, 10), EBADF);
  expect_error("pwrite to what is closed", pwrite(closed, io, 10, 0), EBADF);
  expect_error("lseek of what is closed", lseek(closed, 0, SEEK_SET), EBADF);
  expect_error("read of descriptor -1", read(-1, io, 10), EBADF);
  expect_error("read of a large descriptor", read(1 << 20, io, 10), EBADF);
  expect_error("read of what is write-only", pread(file->writeonly, io, 10, 0), EBADF);
  expect_error("write to what is read-only", pwrite(file->readonly, io, 10, 0), EBADF);
  expect_error("negative position", pread(file->rw, io, 10, -1), EINVAL);
  expect_error("lseek before the beginning", lseek(file->rw, -1, SEEK_SET), EINVAL);
  expect("lseek with a bad whence", lseek(file->rw, 0, 9) == -1, 1);
  /* Ranges that reach beyond any heap, or wrap around. */
  void *bad = (void *)(UINTPTR_MAX - 100);
  expect("pread to a bad pointer", pread(file->rw, bad, 4096, 0) == -1, 1);
  expect("pwrite from a bad pointer", pwrite(file->rw, bad, 4096, 0) == -1, 1);
  expect("read to a bad pointer", read(file->rw, bad, 4096) == -1, 1);
  expect("extmemfs_pread to a bad pointer", extmemfs_pread(file->rw, bad, 4096, 0), -EFAULT);
  expect("extmemfs_pwrite from a bad pointer", extmemfs_pwrite(file->rw, bad, 4096, 0), -EFAULT);
  expect("extmemfs_pread to nowhere", extmemfs_pread(file->rw, NULL, 1, 0), -EFAULT);
  expect("extmemfs_pread of what is closed", extmemfs_pread(closed, io, 1, 0), -EBADF);
  expect("extmemfs_pwrite of what is read-only", extmemfs_pwrite(file->readonly, io, 1, 0), -EBADF);
  expect("extmemfs_size of what is closed", extmemfs_size(closed), -EBADF);
  expect("extmemfs_read to a bad pointer", extmemfs_read(64, bad, 4096), -EFAULT);
  expect("extmemfs_read beyond the pool", extmemfs_read((uint64_t)1 << 40, io, 8), -EFAULT);
  expect("extmemfs_read that wraps around", extmemfs_read(UINT64_MAX - 3, io, 8), -EFAULT);
  expect("extmemfs_write to the pool's own words", extmemfs_write(0, io, 8), -EFAULT);
  expect("extmemfs_write beyond the pool", extmemfs_write((uint64_t)1 << 40, io, 8), -EFAULT);
  unsigned char magic[8];
  expect("extmemfs_read", extmemfs_read(0, magic, 8), 0);
  expect("the magic", memcmp(magic, "ExtMemFS", 8), 0);
}

static void step(void) {
  struct file *file = &files[below(FILES)];
  size_t bytes = length(), at = offset_of(file);
  unsigned char *from = pattern + below(IO - bytes);
  unsigned char *to = io + below(16);
  struct iovec iov[3];
  size_t first = below(bytes + 1);
  calls++;
  switch (below(24)) {
    case 0: case 1: case 2:
      memset(to, GUARD, bytes);
      check_read("pread", file, at, bytes, pread(below(2) ? file->rw : file->readonly, to, bytes, at), to);
      break;
    case 3: case 4: case 5:
      expect("pwrite", pwrite(below(2) ? file->rw : file->writeonly, from, bytes, at), bytes);
      model_write(file, at, from, bytes);
      break;
    case 6: case 7:
      memset(to, GUARD, bytes);
      check_read("extmemfs_pread", file, at, bytes, extmemfs_pread(file->rw, to, bytes, at), to);
      break;
    case 8: case 9:
      expect("extmemfs_pwrite", extmemfs_pwrite(file->rw, from, bytes, at), bytes);
      model_write(file, at, from, bytes);
      break;
    case 10: case 11:
      calls++;
      expect("lseek", lseek(file->rw, at, SEEK_SET), at);
      memset(to, GUARD, bytes);
      check_read("read", file, at, bytes, read(file->rw, to, bytes), to);
      file->position = at + left(file, at, bytes);
      break;
    case 12:
      if (file->position > ROOM - IO) break;
      expect("write", write(file->rw, from, bytes), bytes);
      model_write(file, file->position, from, bytes);
      file->position += bytes;
      break;
    case 13:
      memset(to, GUARD, bytes);
      iov[0] = (struct iovec){to, first};
      iov[1] = (struct iovec){NULL, 0};
      iov[2] = (struct iovec){to + first, bytes - first};
      check_read("preadv", file, at, bytes, preadv(file->rw, iov, 3, at), to);
      break;
    case 14:
      if (file->position > ROOM - IO) break;
      iov[0] = (struct iovec){from, first};
      iov[1] = (struct iovec){from + first, bytes - first};
      expect("writev", writev(file->rw, iov, 2), bytes);
      model_write(file, file->position, from, bytes);
      file->position += bytes;
      break;
    case 15:
      if (file->size + bytes > ROOM) break;
      expect("append", below(2) ? write(file->append, from, bytes) : pwrite(file->append, from, bytes, at), bytes);
      model_write(file, file->size, from, bytes);
      break;
    case 16:
      expect("ftruncate", ftruncate(file->rw, at), 0);
      if (at > file->size) memset(file->bytes + file->size, 0, at - file->size);
      file->size = at;
      break;
    case 17:
      if (below(3) == 0) {
        /* Without a name it stays what it is, until it is closed. */
        expect("unlink", unlink(file->path), 0);
        memset(to, GUARD, bytes);
        check_read("pread of what has no name", file, at, bytes, pread(file->rw, to, bytes, at), to);
        expect("pwrite to what has no name", pwrite(file->rw, from, bytes, at), bytes);
        close_all(file);
        open_all(file);
      }
      break;
    case 18:
      if (below(6) == 0) misuse(file);
      break;
    case 19:
      if (below(4) == 0) {
        /* What is read and written from now on lies where no heap was a moment ago. */
        free(chunks[next_chunk]);
        chunks[next_chunk] = malloc(CHUNK);
        if (chunks[next_chunk] == NULL) fail("malloc", 0, 1);
        io = chunks[next_chunk] + below(CHUNK - IO - 64);
        next_chunk = (next_chunk + 1) % CHUNKS;
      }
      break;
    case 20: {
      struct stat found;
      expect("extmemfs_size", extmemfs_size(file->rw), file->size);
      expect("fstat", fstat(file->readonly, &found) == 0 ? found.st_size : -1, file->size);
      break;
    }
    case 21:
      calls += 2;
      expect("lseek to the end", lseek(file->rw, 0, SEEK_END), file->size);
      expect("lseek from there", lseek(file->rw, -(int64_t)(file->size / 2), SEEK_CUR), file->size - file->size / 2);
      expect("lseek beyond", lseek(file->rw, 3, SEEK_END), file->size + 3);
      file->position = file->size + 3;
      break;
    case 22: {
      int twin = dup(file->rw);
      calls++;
      memset(to, GUARD, bytes);
      check_read("read of a duplicate", file, file->position, bytes, read(twin, to, bytes), to);
      file->position += left(file, file->position, bytes);
      expect("position", lseek(file->rw, 0, SEEK_CUR), file->position);
      expect("close", close(twin), 0);
      break;
    }
    default:
      for (int i = 0; i < 16; i++) {
        size_t some = below(65);
        size_t place = offset_of(file);
        calls += 2;
        expect("small pwrite", pwrite(file->rw, from, some, place), some);
        model_write(file, place, from, some);
        memset(to, GUARD, 64);
        check_read("small pread", file, place, some, pread(file->rw, to, some, place), to);
      }
  }
}

#ifdef __EMSCRIPTEN_PTHREADS__
/* Two threads on one descriptor: each write and each read moves the position that both have. */
enum { RECORDS = 3000 };
static int shared_fd;
static unsigned char seen[2 * RECORDS];
static int slow_in_threads;

static void *write_records(void *arg) {
  uint32_t record[4];
  for (int i = 0; i < RECORDS; i++) {
    uint32_t number = (uint32_t)(uintptr_t)arg * RECORDS + i;
    for (int word = 0; word < 4; word++) record[word] = number;
    if (write(shared_fd, record, sizeof record) != sizeof record) fail("write of a record", errno, 0);
  }
  __atomic_fetch_add(&slow_in_threads, extmemfs_bridge_slow_calls(), __ATOMIC_SEQ_CST);
  return NULL;
}
static void *read_records(void *arg) {
  uint32_t record[4];
  for (;;) {
    ssize_t got = read(shared_fd, record, sizeof record);
    if (got == 0) break;
    if (got != sizeof record) fail("read of a record", got, sizeof record);
    for (int word = 1; word < 4; word++) if (record[word] != record[0]) fail("torn record", record[word], record[0]);
    if (__atomic_fetch_add(&seen[record[0]], 1, __ATOMIC_SEQ_CST) != 0) fail("record read again", record[0], 0);
  }
  __atomic_fetch_add(&slow_in_threads, extmemfs_bridge_slow_calls(), __ATOMIC_SEQ_CST);
  return NULL;
}
static void in_two(void *(*run)(void *)) {
  pthread_t threads[2];
  for (uintptr_t i = 0; i < 2; i++) if (pthread_create(&threads[i], NULL, run, (void *)i) != 0) fail("thread", errno, 0);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}
static void share_position(void) {
  shared_fd = open("/model/shared", O_RDWR | O_CREAT, 0644);
  in_two(write_records);
  expect("size of the records", extmemfs_size(shared_fd), 2 * RECORDS * 16);
  expect("position behind them", lseek(shared_fd, 0, SEEK_CUR), 2 * RECORDS * 16);
  expect("lseek", lseek(shared_fd, 0, SEEK_SET), 0);
  in_two(read_records);
  for (int i = 0; i < 2 * RECORDS; i++) if (seen[i] != 1) fail("record not read", i, 1);
  expect("close", close(shared_fd), 0);
  calls += 4 * RECORDS;
}
#endif

static int seed, steps;

static void *test(void *arg) {
  state = seed * 2654435761u + 1;
  if (mkdir("/model", 0755) != 0) fail("mkdir", errno, 0);
  for (size_t i = 0; i < IO; i++) pattern[i] = random32();
  io = malloc(IO + 64);
  for (int i = 0; i < FILES; i++) {
    files[i].bytes = calloc(1, ROOM + IO);
    open_all(&files[i]);
  }
  for (int i = 0; i < steps; i++) step();
  for (int i = 0; i < FILES; i++) {
    struct file *file = &files[i];
    unsigned char *all = malloc(file->size + 1);
    memset(all, GUARD, file->size + 1);
    check_read("the whole file", file, 0, file->size + 1, pread(file->rw, all, file->size + 1, 0), all);
    for (size_t at = 0; at < file->size; at++) hash = (hash ^ all[at]) * 16777619u;
    close_all(file);
  }
  int slow = extmemfs_bridge_slow_calls();
#ifdef __EMSCRIPTEN_PTHREADS__
  share_position();
  if (slow >= 0) slow += slow_in_threads;
#endif
  printf("hash %08x\n", hash);
  printf("slow %d of %d\n", slow, calls);
  return arg;
}

int main(int count, char **args) {
  seed = count > 1 ? atoi(args[1]) : 1;
  steps = count > 2 ? atoi(args[2]) : 2000;
#ifdef __EMSCRIPTEN_PTHREADS__
  pthread_t thread;
  pthread_create(&thread, NULL, test, NULL);
  pthread_join(thread, NULL);
#else
  test(NULL);
#endif
  return 0;
}
