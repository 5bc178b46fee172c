// fcntl locks within one process: it never excludes itself. Between programs: two_programs.c.
#include "steps.h"

static int lock(int fd, int command, short type, short whence, off_t start, off_t length) {
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = type;
  lock.l_whence = whence;
  lock.l_start = start;
  lock.l_len = length;
  int result = fcntl(fd, command, &lock);
  if (result == 0 && command == F_GETLK) {
    TEXT("held by others", lock.l_type == F_UNLCK ? "F_UNLCK" : lock.l_type == F_RDLCK ? "F_RDLCK" : "F_WRLCK");
  }
  return result;
}

CASE(own_locks_do_not_conflict) {
  put("a", "0123456789");
  int fd = TRY(open("a", O_RDWR));
  int other = TRY(open("a", O_RDWR));
  CALL(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 5));
  CALL(lock(other, F_SETLK, F_WRLCK, SEEK_SET, 3, 4));
  CALL(lock(other, F_GETLK, F_WRLCK, SEEK_SET, 0, 0));
  CALL(lock(fd, F_SETLKW, F_RDLCK, SEEK_SET, 0, 2));
  CALL(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
  CALL(close(other));
  CALL(close(fd));
}

CASE(ranges) {
  put("a", "0123456789");
  int fd = TRY(open("a", O_RDWR));
  CALL(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 5, -3));
  CALL(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 1, -3));
  CALL(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, -1, 1));
  CALL(lock(fd, F_SETLK, F_WRLCK, SEEK_END, -2, 1));
  CALL(lseek(fd, 4, SEEK_SET));
  CALL(lock(fd, F_SETLK, F_WRLCK, SEEK_CUR, -2, 1));
  CALL(lock(fd, F_SETLK, F_WRLCK, SEEK_CUR, -5, 1));
  CALL(lock(fd, F_SETLK, F_WRLCK, 77, 0, 1));
  CALL(lock(fd, F_SETLK, 77, SEEK_SET, 0, 1));
  CALL(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0x7fffffff0LL, 100));
  CALL(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
  CALL(lock(fd, F_GETLK, F_UNLCK, SEEK_SET, 0, 0));
  CALL(close(fd));
}

CASE(access_modes) {
  put("a", "0123456789");
  int fd = TRY(open("a", O_RDONLY));
  CALL(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
  CALL(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 0, 1));
  CALL(close(fd));
  fd = TRY(open("a", O_WRONLY));
  CALL(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 0, 1));
  CALL(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
  CALL(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 1));
  CALL(close(fd));
}

CASE(lockf_calls) {
  put("a", "0123456789");
  int fd = TRY(open("a", O_RDWR));
  CALL(lockf(fd, F_LOCK, 5));
  CALL(lockf(fd, F_TEST, 5));
  CALL(lockf(fd, F_TLOCK, 10));
  CALL(lockf(fd, F_ULOCK, 0));
  CALL(lockf(fd, 77, 0));
  CALL(close(fd));
}

PROGRAM(locks, C(own_locks_do_not_conflict), C(ranges), C(access_modes), C(lockf_calls))
