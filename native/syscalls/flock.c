// flock() for programs on the pool. Emscripten's C library has one that grants everything, as a weak symbol; what is in the
// JavaScript library cannot take its place, what is linked can.

#include <errno.h>
#include <sys/file.h>

#include "../include/extmemfs.h"

int flock(int fd, int operation) {
  int result = extmemfs_flock(fd, operation);
  if (result >= 0) return result;
  errno = -result;
  return -1;
}
