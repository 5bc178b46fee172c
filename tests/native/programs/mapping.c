// mmap, msync, munmap. Emscripten copies: a shared mapping reaches the file by msync and munmap.
#include "steps.h"
#include <sys/mman.h>

CASE(private_mapping) {
  put("a", "hello mapped world");
  int fd = TRY(open("a", O_RDWR));
  char *at = (char *)POINTER(mmap(NULL, 18, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  if (at == MAP_FAILED) return;
  BYTES("mapped", at, 18);
  memcpy(at, "HELLO", 5);
  CALL(munmap(at, 18));
  CALL(close(fd));
  cat("a");
}

CASE(shared_mapping) {
  put("a", "hello mapped world");
  int fd = TRY(open("a", O_RDWR));
  char *at = (char *)POINTER(mmap(NULL, 18, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  if (at == MAP_FAILED) return;
  memcpy(at, "HELLO", 5);
  CALL(msync(at, 18, MS_SYNC));
  cat("a");
  memcpy(at + 13, "WORLD", 5);
  CALL(munmap(at, 18));
  cat("a");
  show("a");
  CALL(close(fd));
}

CASE(read_only_mapping) {
  put("a", "hello");
  int fd = TRY(open("a", O_RDONLY));
  char *at = (char *)POINTER(mmap(NULL, 5, PROT_READ, MAP_SHARED, fd, 0));
  if (at == MAP_FAILED) return;
  BYTES("mapped", at, 5);
  CALL(munmap(at, 5));
  at = (char *)POINTER(mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  if (at == MAP_FAILED) return;
  at[0] = 'X';
  CALL(munmap(at, 5));
  POINTER(mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  CALL(close(fd));
  cat("a");
}

CASE(beyond_the_end) {
  put("a", "short");
  int fd = TRY(open("a", O_RDWR));
  char *at = (char *)POINTER(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  if (at == MAP_FAILED) return;
  BYTES("mapped", at, 4096);
  CALL(munmap(at, 4096));
  CALL(close(fd));
  show("a");
}

CASE(at_an_offset) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(ftruncate(fd, 65536 + 100));
  CALL(pwrite(fd, "second page", 11, 65536));
  char *at = (char *)POINTER(mmap(NULL, 100, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 65536));
  if (at == MAP_FAILED) return;
  BYTES("mapped", at, 11);
  memcpy(at, "SECOND", 6);
  CALL(munmap(at, 100));
  char text[16] = {0};
  CALL(pread(fd, text, 11, 65536));
  TEXT("read", text);
  CALL(close(fd));
}

CASE(several) {
  put("a", "0123456789");
  int fd = TRY(open("a", O_RDWR));
  char *first = (char *)POINTER(mmap(NULL, 10, PROT_READ, MAP_PRIVATE, fd, 0));
  char *second = (char *)POINTER(mmap(NULL, 10, PROT_READ, MAP_PRIVATE, fd, 0));
  HOLDS(first != second);
  CALL(munmap(first, 10));
  BYTES("mapped", second, 10);
  CALL(munmap(second, 10));
  CALL(close(fd));
}

CASE(closed_descriptor) {
  put("a", "hello");
  int fd = TRY(open("a", O_RDWR));
  char *at = (char *)POINTER(mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  CALL(close(fd));
  BYTES("mapped", at, 5);
  CALL(munmap(at, 5));
}

CASE(closed_descriptor_shared) {
  put("a", "hello");
  put("b", "other");
  int fd = TRY(open("a", O_RDWR));
  char *at = (char *)POINTER(mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  CALL(close(fd));
  // The number is somebody else's now.
  int other = TRY(open("b", O_RDWR));
  at[0] = 'J';
  CALL(munmap(at, 5));
  CALL(close(other));
  cat("a");
  cat("b");
}

CASE(refused) {
  put("a", "hello");
  int fd = TRY(open("a", O_WRONLY));
  POINTER(mmap(NULL, 5, PROT_READ, MAP_PRIVATE, fd, 0));
  CALL(close(fd));
  POINTER(mmap(NULL, 5, PROT_READ, MAP_PRIVATE, fd, 0));
  fd = TRY(open("a", O_RDONLY));
  POINTER(mmap(NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0));
  POINTER(mmap(NULL, 5, PROT_READ, 0, fd, 0));
  CALL(close(fd));
  CALL(mkdir("d", 0755));
  fd = TRY(open("d", O_RDONLY));
  POINTER(mmap(NULL, 5, PROT_READ, MAP_PRIVATE, fd, 0));
  CALL(close(fd));
}

CASE(anonymous) {
  char *at = (char *)POINTER(mmap(NULL, 100000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (at == MAP_FAILED) return;
  int zeros = 0;
  for (int i = 0; i < 100000; i++) zeros += at[i] == 0;
  CALL(zeros);
  at[99999] = 1;
  CALL(munmap(at, 100000));
}

PROGRAM(mapping, C(private_mapping), C(shared_mapping), C(read_only_mapping), C(beyond_the_end), C(at_an_offset),
        C(several), C(closed_descriptor), C(closed_descriptor_shared), C(refused), C(anonymous))
