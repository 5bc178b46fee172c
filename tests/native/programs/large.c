// Files beyond 2 GiB and 4 GiB, almost all of which are holes.
#include "steps.h"

static void beyond(off_t at) {
  say("at %lld", (long long)at);
  int fd = TRY(open("a", O_RDWR | O_CREAT | O_TRUNC, 0644));
  CALL(pwrite(fd, "across the edge", 15, at - 7));
  struct stat st;
  CALL(fstat(fd, &st));
  HOLDS(st.st_size == at + 8);
  char text[32] = {0};
  CALL(pread(fd, text, 31, at - 7));
  TEXT("read", text);
  memset(text, 0, sizeof text);
  HOLDS(lseek(fd, at, SEEK_SET) == at);
  CALL(read(fd, text, 4));
  TEXT("read", text);
  HOLDS(lseek(fd, 0, SEEK_CUR) == at + 4);
  CALL(write(fd, "!", 1));
  HOLDS(lseek(fd, -3, SEEK_END) == at + 5);
  memset(text, 'x', sizeof text);
  CALL(pread(fd, text, 16, at - 1000000));
  BYTES("hole", text, 16);
  CALL(ftruncate(fd, at + 100));
  CALL(fstat(fd, &st));
  HOLDS(st.st_size == at + 100);
  CALL(ftruncate(fd, at - 4));
  memset(text, 0, sizeof text);
  CALL(pread(fd, text, 31, at - 7));
  TEXT("read", text);
  CALL(close(fd));
  FILE *file = (FILE *)POINTER(fopen("a", "r"));
  CALL(fseeko(file, at - 7, SEEK_SET));
  HOLDS(ftello(file) == at - 7);
  CALL(fgetc(file));
  CALL(fclose(file));
  CALL(stat("a", &st));
  HOLDS(st.st_size == at - 4);
  CALL(truncate("a", 0));
  show("a");
}

CASE(beyond_2_gib) { beyond(0x80000000LL); }

CASE(beyond_4_gib) { beyond(0x100000000LL); }

PROGRAM(large, C(beyond_2_gib), C(beyond_4_gib))
