// flock within one process: open files exclude each other, copies of a descriptor are one open file.
#include "steps.h"
#include <sys/file.h>

CASE(exclusive) {
  int a = TRY(open("f", O_RDWR | O_CREAT, 0644));
  int b = TRY(open("f", O_RDWR));
  CALL(flock(a, LOCK_EX));
  CALL(flock(b, LOCK_EX | LOCK_NB));
  CALL(flock(b, LOCK_SH | LOCK_NB));
  CALL(flock(a, LOCK_EX | LOCK_NB));
  CALL(flock(a, LOCK_UN));
  CALL(flock(b, LOCK_EX | LOCK_NB));
  CALL(close(b));
  CALL(flock(a, LOCK_EX | LOCK_NB));
  CALL(close(a));
}

CASE(shared) {
  int a = TRY(open("f", O_RDWR | O_CREAT, 0644));
  int b = TRY(open("f", O_RDONLY));
  int c = TRY(open("f", O_RDWR));
  CALL(flock(a, LOCK_SH));
  CALL(flock(b, LOCK_SH | LOCK_NB));
  CALL(flock(c, LOCK_EX | LOCK_NB));
  // From shared to exclusive only alone.
  CALL(flock(a, LOCK_EX | LOCK_NB));
  CALL(flock(b, LOCK_UN));
  CALL(flock(b, LOCK_UN));
  CALL(flock(a, LOCK_EX | LOCK_NB));
  CALL(flock(a, LOCK_SH | LOCK_NB));
  CALL(flock(c, LOCK_SH | LOCK_NB));
  CALL(close(a));
  CALL(close(b));
  CALL(close(c));
}

CASE(copies) {
  int a = TRY(open("f", O_RDWR | O_CREAT, 0644));
  int copy = TRY(dup(a));
  int b = TRY(open("f", O_RDWR));
  CALL(flock(a, LOCK_EX));
  CALL(flock(copy, LOCK_EX | LOCK_NB));
  CALL(close(a));
  // The copy keeps the lock.
  CALL(flock(b, LOCK_EX | LOCK_NB));
  CALL(flock(copy, LOCK_UN));
  CALL(flock(b, LOCK_EX | LOCK_NB));
  CALL(close(copy));
  CALL(close(b));
}

CASE(released_by_close) {
  int a = TRY(open("f", O_RDWR | O_CREAT, 0644));
  int b = TRY(open("f", O_RDWR));
  CALL(flock(a, LOCK_EX));
  CALL(flock(b, LOCK_SH | LOCK_NB));
  CALL(close(a));
  CALL(flock(b, LOCK_SH | LOCK_NB));
  CALL(close(b));
}

CASE(refused) {
  int a = TRY(open("f", O_RDWR | O_CREAT, 0644));
  CALL(flock(a, 0));
  CALL(flock(a, LOCK_SH | LOCK_EX));
  CALL(close(a));
  CALL(flock(a, LOCK_EX));
  CALL(flock(-1, LOCK_EX));
  CALL(mkdir("d", 0755));
  int dir = TRY(open("d", O_RDONLY));
  CALL(flock(dir, LOCK_EX));
  CALL(close(dir));
}

CASE(apart_from_fcntl) {
  int a = TRY(open("f", O_RDWR | O_CREAT, 0644));
  int b = TRY(open("f", O_RDWR));
  CALL(flock(a, LOCK_EX));
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  CALL(fcntl(b, F_SETLK, &lock));
  CALL(close(a));
  CALL(close(b));
}

PROGRAM(flock, C(exclusive), C(shared), C(copies), C(released_by_close), C(refused), C(apart_from_fcntl))
