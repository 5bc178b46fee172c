// dup and its kin, fcntl, bad descriptors, the standard streams.
#include "steps.h"

CASE(duplicates) {
  put("a", "0123456789");
  int fd = TRY(open("a", O_RDWR));
  int copy = TRY(dup(fd));
  HOLDS(copy != fd);
  CALL(close(fd));
  char c;
  CALL(read(copy, &c, 1));
  CALL(dup(fd));
  CALL(dup(-1));
  CALL(close(copy));
}

CASE(onto_a_number) {
  put("a", "aaa");
  put("b", "bbb");
  int a = TRY(open("a", O_RDONLY));
  int b = TRY(open("b", O_RDONLY));
  HOLDS(dup2(a, b) == b);
  char c;
  CALL(read(b, &c, 1));
  BYTES("read", &c, 1);
  CALL(lseek(a, 0, SEEK_CUR));
  HOLDS(dup2(a, a) == a);
  CALL(dup2(a, 100));
  CALL(lseek(100, 0, SEEK_CUR));
  CALL(close(100));
  CALL(dup2(a, -1));
  CALL(dup2(99, 98));
  CALL(dup2(99, 99));
  CALL(dup3(a, a, 0));
  HOLDS(dup3(a, b, O_CLOEXEC) == b);
  CALL(dup3(a, b, O_APPEND));
  CALL(dup3(99, b, 0));
  CALL(close(a));
  CALL(lseek(b, 0, SEEK_CUR));
  CALL(close(b));
}

CASE(standard_output) {
  fflush(stdout);
  int saved = dup(1);
  int fd = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  int result = dup2(fd, 1);
  close(fd);
  printf("into the file\n");
  fflush(stdout);
  ssize_t written = write(1, "raw\n", 4);
  int back = dup2(saved, 1);
  close(saved);
  say("dup2 onto 1: %d, written %d, back %d", result, (int)written, back);
  cat("out");
}

CASE(reopened_stream) {
  FILE *file = (FILE *)POINTER(fopen("a", "w"));
  fprintf(file, "first");
  file = (FILE *)POINTER(freopen("b", "w", file));
  fprintf(file, "second");
  CALL(fclose(file));
  cat("a");
  cat("b");
}

CASE(status_flags) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(fcntl(fd, F_GETFL) & O_ACCMODE);
  CALL(fcntl(fd, F_GETFL) & O_APPEND);
  CALL(fcntl(fd, F_SETFL, O_APPEND));
  HOLDS((fcntl(fd, F_GETFL) & O_APPEND) == O_APPEND);
  CALL(fcntl(fd, F_GETFL) & O_ACCMODE);
  CALL(write(fd, "one", 3));
  CALL(lseek(fd, 0, SEEK_SET));
  CALL(write(fd, "two", 3));
  int copy = TRY(dup(fd));
  CALL(fcntl(copy, F_SETFL, 0));
  CALL(fcntl(fd, F_GETFL) & O_APPEND);
  CALL(lseek(fd, 0, SEEK_SET));
  CALL(write(fd, "X", 1));
  // The access mode cannot be changed.
  CALL(fcntl(fd, F_SETFL, O_RDONLY | O_CREAT | O_TRUNC));
  CALL(fcntl(fd, F_GETFL) & O_ACCMODE);
  cat("a");
  CALL(close(copy));
  CALL(close(fd));
  fd = TRY(open("a", O_WRONLY | O_APPEND));
  CALL(fcntl(fd, F_GETFL) & O_ACCMODE);
  HOLDS((fcntl(fd, F_GETFL) & O_APPEND) == O_APPEND);
  CALL(close(fd));
}

CASE(descriptor_flags) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(fcntl(fd, F_GETFD));
  CALL(fcntl(fd, F_SETFD, FD_CLOEXEC));
  CALL(fcntl(fd, F_GETFD));
  int copy = TRY(dup(fd));
  CALL(fcntl(copy, F_GETFD));
  CALL(close(copy));
  copy = TRY(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  CALL(fcntl(copy, F_GETFD));
  CALL(close(copy));
  CALL(close(fd));
  fd = TRY(open("a", O_RDWR | O_CLOEXEC));
  CALL(fcntl(fd, F_GETFD));
  CALL(close(fd));
}

CASE(duplicate_from) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(fcntl(fd, F_DUPFD, 50));
  CALL(fcntl(fd, F_DUPFD, 50));
  CALL(lseek(50, 5, SEEK_SET));
  CALL(lseek(51, 0, SEEK_CUR));
  CALL(close(50));
  CALL(fcntl(fd, F_DUPFD, 50));
  CALL(close(50));
  CALL(close(51));
  CALL(fcntl(fd, F_DUPFD, -1));
  CALL(fcntl(fd, 9999));
  CALL(close(fd));
}

CASE(bad_descriptors) {
  char c;
  struct iovec one = {&c, 1};
  struct stat st;
  struct timespec times[2] = {{0, 0}, {0, 0}};
  struct flock lock = {0};
  lock.l_type = F_WRLCK;
  const int bad[] = {-1, 77, INT_MAX};
  for (int i = 0; i < 3; i++) {
    int fd = bad[i];
    say("fd = %d", fd);
    CALL(read(fd, &c, 1));
    CALL(write(fd, "x", 1));
    CALL(readv(fd, &one, 1));
    CALL(writev(fd, &one, 1));
    CALL(pread(fd, &c, 1, 0));
    CALL(pwrite(fd, "x", 1, 0));
    CALL(preadv(fd, &one, 1, 0));
    CALL(pwritev(fd, &one, 1, 0));
    CALL(lseek(fd, 0, SEEK_SET));
    CALL(close(fd));
    CALL(dup(fd));
    CALL(dup2(fd, 5));
    CALL(fcntl(fd, F_GETFL));
    CALL(fcntl(fd, F_SETFL, 0));
    CALL(fcntl(fd, F_GETFD));
    CALL(fcntl(fd, F_DUPFD, 0));
    CALL(fcntl(fd, F_SETLK, &lock));
    CALL(fcntl(fd, F_GETLK, &lock));
    CALL(fstat(fd, &st));
    CALL(fchmod(fd, 0644));
    CALL(fchown(fd, 0, 0));
    CALL(futimens(fd, times));
    CALL(ftruncate(fd, 0));
    CALL(fsync(fd));
    CALL(fdatasync(fd));
    CALL(fchdir(fd));
    CALL(isatty(fd));
    TEXT("posix_fallocate", error_name(posix_fallocate(fd, 0, 1)));
    POINTER(fdopendir(fd));
    if (fd == -1) continue;
    OPEN(openat(fd, "a", O_RDONLY));
    CALL(fstatat(fd, "a", &st, 0));
    CALL(mkdirat(fd, "a", 0755));
    CALL(unlinkat(fd, "a", 0));
    CALL(renameat(fd, "a", AT_FDCWD, "b"));
    CALL(symlinkat("a", fd, "b"));
    CALL(readlinkat(fd, "a", &c, 1));
    CALL(linkat(fd, "a", AT_FDCWD, "b", 0));
    CALL(faccessat(fd, "a", F_OK, 0));
    CALL(fchmodat(fd, "a", 0644, 0));
    CALL(fchownat(fd, "a", 0, 0, 0));
    CALL(utimensat(fd, "a", times, 0));
  }
}

CASE(not_a_directory) {
  put("a", "abc");
  int fd = TRY(open("a", O_RDONLY));
  struct stat st;
  char c;
  CALL(fstatat(fd, "a", &st, 0));
  CALL(mkdirat(fd, "a", 0755));
  CALL(unlinkat(fd, "a", 0));
  CALL(renameat(fd, "a", AT_FDCWD, "b"));
  CALL(renameat(AT_FDCWD, "a", fd, "b"));
  CALL(symlinkat("a", fd, "b"));
  CALL(readlinkat(fd, "a", &c, 1));
  CALL(faccessat(fd, "a", F_OK, 0));
  CALL(fchdir(fd));
  POINTER(fdopendir(fd));
  CALL(close(fd));
}

CASE(standard_streams) {
  struct stat st;
  CALL(fstat(0, &st));
  CALL(fstat(1, &st));
  CALL(fstat(2, &st));
  HOLDS(fileno(stdin) == 0);
  HOLDS(fileno(stdout) == 1);
  HOLDS(fileno(stderr) == 2);
  CALL(fcntl(1, F_GETFL) & O_ACCMODE ? 1 : 0);
  CALL(write(1, "raw line\n", 9));
  struct iovec two[2] = {{(void *)"vector ", 7}, {(void *)"line\n", 5}};
  CALL(writev(1, two, 2));
  fprintf(stderr, "to the error stream\n");
  char line[64];
  TEXT("stdin", fgets(line, sizeof line, stdin));
  TEXT("stdin", fgets(line, sizeof line, stdin));
  TEXT("stdin", fgets(line, sizeof line, stdin));
  HOLDS(feof(stdin));
}

PROGRAM(descriptors, C(duplicates), C(onto_a_number), C(standard_output), C(reopened_stream), C(status_flags),
        C(descriptor_flags), C(duplicate_from), C(bad_descriptors), C(not_a_directory), C(standard_streams))
