// Two programs and a worker on one tree: what each does ROUNDS times, from two threads (together_test.ts has the worker's).

#include "steps.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extmemfs_wasmfs.h"

#define ROUNDS 100

static int role;
static _Atomic int won;

static void *work(void *argument) {
  long thread = (long)argument;
  char name[64], next[64], line[64];
  int log = open(at("log"), O_CREAT | O_WRONLY | O_APPEND, 0644);
  CHECK(log >= 0);
  for (int i = 0; i < ROUNDS; i++) {
    int bytes = snprintf(line, sizeof line, "line of %d-%ld-%d\n", role, thread, i);
    CHECK(write(log, line, bytes) == bytes);
    snprintf(name, sizeof name, "claim-%d", i);
    int fd = open(at(name), O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (fd >= 0) {
      won++;
      close(fd);
    } else CHECK(errno == EEXIST);
    snprintf(name, sizeof name, "own-%d-%ld-%d", role, thread, i);
    snprintf(next, sizeof next, "replaced-%d", i % 5);
    fd = open(at(name), O_CREAT | O_WRONLY, 0644);
    CHECK(fd >= 0);
    CHECK(write(fd, "text", 4) == 4);
    CHECK(close(fd) == 0);
    CHECK(rename(at(name), at(next)) == 0);
    // There is always something under that name, and it is whole.
    struct stat st;
    CHECK(stat(at(next), &st) == 0 && st.st_size == 4);
  }
  CHECK(close(log) == 0);
  return NULL;
}

// A counter under a lock of fcntl: threads of one process share it, so that only one of them counts.
static void count(void) {
  int fd = open(at("counter"), O_RDWR);
  CHECK(fd >= 0);
  for (int i = 0; i < ROUNDS; i++) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK(fcntl(fd, F_SETLKW, &lock) == 0);
    int value = 0;
    CHECK(pread(fd, &value, 4, 0) == 4);
    value++;
    CHECK(pwrite(fd, &value, 4, 0) == 4);
    lock.l_type = F_UNLCK;
    CHECK(fcntl(fd, F_SETLK, &lock) == 0);
  }
  CHECK(close(fd) == 0);
}

int main(int argumentCount, char **arguments) {
  role = atoi(arguments[1]);
  base = arguments[2];
  poolBase = arguments[3];
#ifdef MOUNTED
  CHECK(wasmfs_create_directory("/pool", 0777, extmemfs_create_backend()) == 0);
#endif
  pthread_t threads[2];
  for (long i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
  count();
  for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  printf("won %d\n", won);
  return finish();
}
