// read, write and their kin, lseek, truncation, allocation, holes.
#include "steps.h"

CASE(read_and_write) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(write(fd, "hello world", 11));
  CALL(write(fd, "", 0));
  CALL(lseek(fd, 0, SEEK_CUR));
  char text[32] = {0};
  CALL(read(fd, text, 31));
  CALL(lseek(fd, 6, SEEK_SET));
  CALL(read(fd, text, 31));
  TEXT("read", text);
  CALL(read(fd, text, 31));
  CALL(read(fd, text, 0));
  CALL(lseek(fd, 0, SEEK_SET));
  CALL(write(fd, "HELLO", 5));
  CALL(close(fd));
  cat("a");
}

CASE(empty_writes) {
  put("a", "0123456789");
  int fd = TRY(open("a", O_RDWR));
  CALL(pwrite(fd, "", 0, 100));
  CALL(lseek(fd, 50, SEEK_SET));
  CALL(write(fd, "", 0));
  CALL(lseek(fd, 0, SEEK_CUR));
  CALL(close(fd));
  show("a");
  fd = TRY(open("a", O_RDWR | O_APPEND));
  CALL(lseek(fd, 3, SEEK_SET));
  CALL(write(fd, "", 0));
  CALL(lseek(fd, 0, SEEK_CUR));
  CALL(close(fd));
}

CASE(vectors) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  struct iovec out[4] = {{(void *)"one", 3}, {NULL, 0}, {(void *)"two", 3}, {(void *)"three", 5}};
  CALL(writev(fd, out, 4));
  CALL(writev(fd, out, 0));
  CALL(lseek(fd, 0, SEEK_CUR));
  CALL(lseek(fd, 1, SEEK_SET));
  char first[4], second[2], third[32];
  struct iovec in[3] = {{first, 4}, {second, 2}, {third, 32}};
  CALL(readv(fd, in, 3));
  BYTES("first", first, 4);
  BYTES("second", second, 2);
  BYTES("third", third, 4);
  CALL(readv(fd, in, 3));
  CALL(close(fd));
}

CASE(at_offsets) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(write(fd, "0123456789", 10));
  char text[8] = {0};
  CALL(pread(fd, text, 4, 3));
  TEXT("pread", text);
  CALL(pread(fd, text, 4, 8));
  CALL(pread(fd, text, 4, 10));
  CALL(pread(fd, text, 4, 100));
  CALL(pwrite(fd, "ab", 2, 4));
  CALL(lseek(fd, 0, SEEK_CUR));
  CALL(pwrite(fd, "end", 3, 12));
  CALL(pread(fd, text, 1, -1));
  CALL(pwrite(fd, text, 1, -1));
  CALL(close(fd));
  cat("a");
}

CASE(vectors_at_offsets) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  struct iovec out[2] = {{(void *)"abc", 3}, {(void *)"defg", 4}};
  CALL(pwritev(fd, out, 2, 2));
  CALL(lseek(fd, 0, SEEK_CUR));
  char first[3], second[8];
  struct iovec in[2] = {{first, 3}, {second, 8}};
  CALL(preadv(fd, in, 2, 1));
  BYTES("first", first, 3);
  BYTES("second", second, 5);
  CALL(lseek(fd, 0, SEEK_CUR));
  CALL(close(fd));
}

// Linux appends here, whatever the offset says; POSIX and Emscripten write where they are told.
CASE(pwrite_with_append) {
  put("a", "0123456789");
  int fd = TRY(open("a", O_RDWR | O_APPEND));
  CALL(pwrite(fd, "x", 1, 2));
  CALL(close(fd));
  cat("a");
}

CASE(seeks) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(write(fd, "0123456789", 10));
  CALL(lseek(fd, 3, SEEK_SET));
  CALL(lseek(fd, 2, SEEK_CUR));
  CALL(lseek(fd, -5, SEEK_CUR));
  CALL(lseek(fd, -1, SEEK_CUR));
  CALL(lseek(fd, -1, SEEK_SET));
  CALL(lseek(fd, -4, SEEK_END));
  CALL(lseek(fd, -11, SEEK_END));
  CALL(lseek(fd, 0, 99));
  CALL(lseek(fd, 0, SEEK_CUR));
  CALL(lseek(fd, 5, SEEK_END));
  char c = 'x';
  CALL(read(fd, &c, 1));
  CALL(write(fd, "z", 1));
  CALL(close(fd));
  cat("a");
}

CASE(seeks_beyond_32_bits) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(sizeof(off_t));
  CALL(lseek(fd, 0x100000000LL, SEEK_SET));
  CALL(lseek(fd, 5, SEEK_CUR));
  CALL(lseek(fd, 0x7fffffffLL, SEEK_SET));
  CALL(lseek(fd, 1, SEEK_CUR));
  char c;
  CALL(read(fd, &c, 1));
  CALL(pread(fd, &c, 1, 0x200000000LL));
  CALL(fsync(fd));
  CALL(close(fd));
  show("a");
}

CASE(shared_offsets) {
  put("a", "0123456789");
  int fd = TRY(open("a", O_RDWR));
  int copy = TRY(dup(fd));
  int other = TRY(open("a", O_RDWR));
  char c;
  CALL(read(fd, &c, 1));
  CALL(lseek(copy, 0, SEEK_CUR));
  CALL(lseek(other, 0, SEEK_CUR));
  CALL(lseek(copy, 7, SEEK_SET));
  CALL(lseek(fd, 0, SEEK_CUR));
  CALL(close(fd));
  CALL(read(copy, &c, 1));
  BYTES("read", &c, 1);
  CALL(write(other, "XY", 2));
  CALL(lseek(copy, 0, SEEK_SET));
  CALL(read(copy, &c, 1));
  BYTES("read", &c, 1);
  CALL(close(copy));
  CALL(close(other));
}

CASE(truncation) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(write(fd, "0123456789", 10));
  CALL(ftruncate(fd, 4));
  CALL(lseek(fd, 0, SEEK_CUR));
  show("a");
  CALL(ftruncate(fd, 8));
  cat("a");
  // What was cut off does not come back.
  CALL(truncate("a", 2));
  CALL(truncate("a", 6));
  cat("a");
  CALL(write(fd, "end", 3));
  cat("a");
  CALL(ftruncate(fd, 0));
  show("a");
  CALL(ftruncate(fd, -1));
  CALL(truncate("a", -1));
  CALL(truncate("no", 0));
  CALL(truncate("", 0));
  CALL(mkdir("d", 0755));
  CALL(truncate("d", 0));
  CALL(truncate("a/b", 0));
  CALL(close(fd));
  CALL(ftruncate(fd, 0));
  CALL(symlink("a", "link"));
  CALL(truncate("link", 3));
  show("a");
}

CASE(large_zero_extension) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(write(fd, "begin", 5));
  CALL(ftruncate(fd, 1000000));
  CALL(pwrite(fd, "end", 3, 999997));
  char *all = (char *)malloc(1000000);
  CALL(pread(fd, all, 1000000, 0));
  int zeros = 0;
  for (int i = 5; i < 999997; i++) zeros += all[i] == 0;
  HOLDS(zeros == 999992);
  BYTES("begin", all, 5);
  BYTES("end", all + 999997, 3);
  CALL(ftruncate(fd, 100));
  CALL(ftruncate(fd, 200000));
  memset(all, 1, 1000000);
  CALL(pread(fd, all, 1000000, 0));
  zeros = 0;
  for (int i = 5; i < 200000; i++) zeros += all[i] == 0;
  HOLDS(zeros == 199995);
  free(all);
  CALL(close(fd));
}

CASE(holes) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(lseek(fd, 300000, SEEK_SET));
  CALL(write(fd, "far", 3));
  CALL(pwrite(fd, "middle", 6, 150000));
  show("a");
  char text[16];
  memset(text, 'x', sizeof text);
  CALL(pread(fd, text, 10, 100000));
  BYTES("hole", text, 10);
  CALL(pread(fd, text, 10, 149998));
  BYTES("edge", text, 10);
  CALL(pread(fd, text, 10, 299998));
  BYTES("end", text, 5);
  CALL(close(fd));
}

CASE(allocation) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(write(fd, "abc", 3));
  // These return the error instead of setting errno.
  TEXT("within", error_name(posix_fallocate(fd, 0, 2)));
  show("a");
  TEXT("beyond", error_name(posix_fallocate(fd, 2, 6)));
  cat("a");
  TEXT("no length", error_name(posix_fallocate(fd, 0, 0)));
  TEXT("negative", error_name(posix_fallocate(fd, -1, 5)));
  CALL(close(fd));
  fd = TRY(open("a", O_RDONLY));
  TEXT("read only", error_name(posix_fallocate(fd, 0, 100)));
  CALL(close(fd));
  TEXT("closed", error_name(posix_fallocate(fd, 0, 100)));
  CALL(mkdir("d", 0755));
  fd = TRY(open("d", O_RDONLY));
  TEXT("directory", error_name(posix_fallocate(fd, 0, 100)));
  CALL(close(fd));
}

CASE(synchronize) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(write(fd, "abc", 3));
  CALL(fsync(fd));
  CALL(fdatasync(fd));
  CALL(close(fd));
  CALL(fsync(fd));
  CALL(fdatasync(fd));
  CALL(mkdir("d", 0755));
  fd = TRY(open("d", O_RDONLY));
  CALL(fsync(fd));
  CALL(close(fd));
  sync();
}

CASE(unlinked_file_stays) {
  put("a", "still here");
  int fd = TRY(open("a", O_RDWR));
  CALL(unlink("a"));
  show("a");
  struct stat st;
  CALL(fstat(fd, &st));
  CALL(st.st_size);
  CALL(st.st_nlink);
  char text[16] = {0};
  CALL(pread(fd, text, 15, 0));
  TEXT("read", text);
  CALL(pwrite(fd, "XX", 2, 20));
  CALL(ftruncate(fd, 25));
  CALL(fchmod(fd, 0600));
  put("a", "another");
  CALL(pread(fd, text, 5, 0));
  TEXT("read", text);
  CALL(close(fd));
  cat("a");
  list(".");
}

CASE(replaced_file_stays) {
  put("a", "old");
  put("b", "new");
  int fd = TRY(open("a", O_RDONLY));
  CALL(rename("b", "a"));
  char text[8] = {0};
  CALL(read(fd, text, 7));
  TEXT("read", text);
  CALL(close(fd));
  cat("a");
}

CASE(renamed_file_stays_open) {
  put("a", "abc");
  int fd = TRY(open("a", O_RDWR));
  CALL(mkdir("d", 0755));
  CALL(rename("a", "d/b"));
  CALL(lseek(fd, 0, SEEK_END));
  CALL(write(fd, "def", 3));
  CALL(close(fd));
  cat("d/b");
}

CASE(large_contents) {
  // Not a multiple of any page, and written in odd pieces.
  const size_t total = 3000001;
  unsigned char *data = (unsigned char *)malloc(total), *back = (unsigned char *)calloc(1, total);
  unsigned int state = 1;
  for (size_t i = 0; i < total; i++) data[i] = (state = state * 1103515245u + 12345u) >> 16;
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  size_t at = 0;
  for (size_t piece = 1; at < total; piece = piece * 3 + 1) {
    size_t count = piece < total - at ? piece : total - at;
    ssize_t n = write(fd, data + at, count);
    if (n <= 0) break;
    at += n;
  }
  HOLDS(at == total);
  CALL(lseek(fd, 0, SEEK_SET));
  for (at = 0; at < total;) {
    ssize_t n = read(fd, back + at, total - at < 70001 ? total - at : 70001);
    if (n <= 0) break;
    at += n;
  }
  HOLDS(at == total);
  HOLDS(memcmp(data, back, total) == 0);
  int equal = 1;
  for (size_t offset = 17; offset < total; offset += 99991) {
    unsigned char some[257];
    ssize_t n = pread(fd, some, sizeof some, offset);
    if (n <= 0 || memcmp(some, data + offset, n) != 0) equal = 0;
  }
  HOLDS(equal);
  CALL(close(fd));
  free(data);
  free(back);
}

PROGRAM(read_write, C(read_and_write), C(empty_writes), C(vectors), C(at_offsets), C(vectors_at_offsets), C(pwrite_with_append),
        C(seeks), C(seeks_beyond_32_bits), C(shared_offsets), C(truncation), C(large_zero_extension), C(holes),
        C(allocation), C(synchronize), C(unlinked_file_stays), C(replaced_file_stays), C(renamed_file_stays_open),
        C(large_contents))
