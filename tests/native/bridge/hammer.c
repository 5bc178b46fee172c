/* Two threads read and write one file, always all of it with one byte, while somebody else truncates it and writes it
 * likewise: whatever a read returns must be of one byte. Prints how many reads saw anything.
 *
 *     hammer <milliseconds>
 */
#include <errno.h>
#include <extmemfs.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

int extmemfs_bridge_slow_calls(void);

enum { BYTES = 12000 };
static double until;
static long calls, slow, full;

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void *hammer(void *arg) {
  int which = (int)(size_t)arg;
  int fd = open("/torn", O_RDWR);
  unsigned char *bytes = malloc(BYTES + 16);
  long count = 0, seen = 0;
  for (unsigned round = 1; now_ms() < until; round++) {
    for (int i = 0; i < 50; i++, count++) {
      unsigned char *to = bytes + (i & 15);
      ssize_t got;
      switch (i % 10) {
        case 0:
          memset(to, 64 + which * 64 + round % 64, BYTES);
          got = i % 20 ? pwrite(fd, to, BYTES, 0) : extmemfs_pwrite(fd, to, BYTES, 0);
          if (got != BYTES) {
            printf("FAILED pwrite: %ld\n", (long)got);
            exit(1);
          }
          continue;
        case 1: {
          struct iovec iov[2] = {{to, 5000}, {to + 5000, BYTES - 5000}};
          got = preadv(fd, iov, 2, 0);
          break;
        }
        case 2:
          got = extmemfs_pread(fd, to, BYTES, 0);
          break;
        default:
          got = pread(fd, to, BYTES, 0);
      }
      if (got < 0) {
        printf("FAILED read: %d\n", errno);
        exit(1);
      }
      for (ssize_t at = 1; at < got; at++) {
        if (to[at] == to[0]) continue;
        printf("FAILED torn read of %ld: %d at 0, %d at %ld\n", (long)got, to[0], to[at], (long)at);
        exit(1);
      }
      if (got > 0) seen++;
    }
  }
  close(fd);
  int slowly = extmemfs_bridge_slow_calls();
  __atomic_fetch_add(&calls, count, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&full, seen, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&slow, slowly, __ATOMIC_SEQ_CST);
  return NULL;
}

int main(int count, char **args) {
  until = now_ms() + (count > 1 ? atoi(args[1]) : 1000);
  pthread_t threads[2];
  for (size_t i = 0; i < 2; i++) pthread_create(&threads[i], NULL, hammer, (void *)i);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  printf("seen %ld\n", full);
  printf("slow %ld of %ld\n", slow, calls);
  return 0;
}
