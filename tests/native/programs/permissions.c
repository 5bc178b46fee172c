// What the superuser is and is not refused. Emscripten programs are user 0; natively the test has to run as root.
#include "steps.h"

CASE(files_without_permission) {
  put("a", "abc");
  CALL(chmod("a", 0));
  CALL(access("a", R_OK));
  CALL(access("a", W_OK));
  CALL(access("a", X_OK));
  int fd = TRY(open("a", O_RDWR));
  CALL(write(fd, "x", 1));
  CALL(close(fd));
  CALL(truncate("a", 1));
  CALL(chmod("a", 0444));
  fd = TRY(open("a", O_WRONLY));
  CALL(ftruncate(fd, 0));
  CALL(close(fd));
  CALL(access("a", W_OK));
}

CASE(directories_without_permission) {
  CALL(mkdir("d", 0555));
  put("d/a", "abc");
  CALL(mkdir("d/e", 0755));
  CALL(rename("d/a", "d/b"));
  CALL(symlink("b", "d/link"));
  list("d");
  CALL(unlink("d/b"));
  CALL(unlink("d/link"));
  CALL(rmdir("d/e"));
  CALL(chmod("d", 0));
  list("d");
  CALL(chdir("d"));
  CALL(chdir(".."));
  CALL(rmdir("d"));
}

CASE(descriptor_outlives_permission) {
  put("a", "abc");
  int fd = TRY(open("a", O_RDWR));
  CALL(fchmod(fd, 0));
  char c;
  CALL(read(fd, &c, 1));
  CALL(write(fd, "x", 1));
  CALL(ftruncate(fd, 1));
  CALL(close(fd));
}

PROGRAM(permissions, C(files_without_permission), C(directories_without_permission),
        C(descriptor_outlives_permission))
