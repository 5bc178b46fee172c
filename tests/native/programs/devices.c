// The device files that programs expect, and pipes.
#include "steps.h"
#include <poll.h>

CASE(null_device) {
  struct stat st;
  char text[8] = "abc";
  CALL(stat("/dev/null", &st));
  HOLDS(S_ISCHR(st.st_mode));
  int fd = TRY(open("/dev/null", O_RDWR));
  CALL(write(fd, "hello", 5));
  CALL(read(fd, text, 5));
  CALL(write(fd, "again", 5));
  CALL(close(fd));
  fd = TRY(open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0644));
  CALL(close(fd));
  FILE *file = (FILE *)POINTER(fopen("/dev/null", "w"));
  CALL(fprintf(file, "nothing"));
  CALL(fclose(file));
}

CASE(random_devices) {
  unsigned char one[64], two[64];
  int fd = TRY(open("/dev/urandom", O_RDONLY));
  CALL(read(fd, one, sizeof one));
  CALL(read(fd, two, sizeof two));
  HOLDS(memcmp(one, two, sizeof one) != 0);
  CALL(close(fd));
  fd = TRY(open("/dev/random", O_RDONLY));
  CALL(read(fd, one, 16));
  CALL(close(fd));
  CALL(getentropy(one, 16));
}

CASE(zero_device) {
  char text[8] = "abcdefg";
  int fd = TRY(open("/dev/zero", O_RDONLY));
  CALL(read(fd, text, 8));
  BYTES("read", text, 8);
  CALL(close(fd));
}

CASE(stream_devices) {
  struct stat st;
  CALL(stat("/dev/stdin", &st));
  CALL(stat("/dev/stdout", &st));
  CALL(stat("/dev/stderr", &st));
  CALL(stat("/dev/tty", &st));
}

CASE(pipes) {
  int ends[2] = {-1, -1};
  CALL(pipe(ends));
  CALL(write(ends[1], "through", 7));
  char text[16] = {0};
  CALL(read(ends[0], text, 3));
  TEXT("read", text);
  CALL(read(ends[0], text, 15));
  TEXT("read", text);
  CALL(lseek(ends[0], 0, SEEK_SET));
  CALL(write(ends[0], "x", 1));
  CALL(read(ends[1], text, 1));
  CALL(close(ends[1]));
  CALL(read(ends[0], text, 1));
  CALL(close(ends[0]));
}

CASE(polling) {
  put("a", "abc");
  struct pollfd fds[2] = {{open("a", O_RDWR), POLLIN | POLLOUT, 0}, {-1, POLLIN, 0}};
  CALL(poll(fds, 2, 0));
  HOLDS(fds[0].revents == (POLLIN | POLLOUT));
  CALL(fds[1].revents);
  CALL(close(fds[0].fd));
  CALL(poll(fds, 1, 0));
  HOLDS(fds[0].revents == POLLNVAL);
}

CASE(terminals) {
  put("a", "abc");
  int fd = TRY(open("a", O_RDONLY));
  CALL(isatty(fd));
  CALL(close(fd));
  CALL(isatty(fd));
}

PROGRAM(devices, C(null_device), C(random_devices), C(zero_device), C(stream_devices), C(pipes), C(polling),
        C(terminals))
