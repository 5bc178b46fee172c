// open, openat, close: flags, modes, which descriptor is given.
#include "steps.h"

CASE(create) {
  OPEN(open("a", O_RDONLY));
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0640));
  show("a");
  CALL(write(fd, "hello", 5));
  CALL(close(fd));
  fd = TRY(open("a", O_RDWR | O_CREAT, 0600));
  show("a");
  CALL(close(fd));
  CALL(close(fd));
  TRY(open("", O_RDONLY));
  TRY(open("", O_RDWR | O_CREAT, 0644));
  TRY(open("no/a", O_RDWR | O_CREAT, 0644));
  TRY(open("a/b", O_RDWR | O_CREAT, 0644));
  TRY(open("a/b", O_RDONLY));
  list(".");
}

CASE(creat_call) {
  put("a", "old contents");
  int fd = TRY(creat("a", 0600));
  show("a");
  CALL(write(fd, "x", 1));
  char c;
  CALL(read(fd, &c, 1));
  CALL(close(fd));
  cat("a");
}

CASE(exclusive) {
  int fd = TRY(open("a", O_WRONLY | O_CREAT | O_EXCL, 0644));
  CALL(close(fd));
  OPEN(open("a", O_WRONLY | O_CREAT | O_EXCL, 0644));
  CALL(mkdir("d", 0755));
  OPEN(open("d", O_RDONLY | O_CREAT | O_EXCL, 0644));
  CALL(symlink("a", "link"));
  OPEN(open("link", O_WRONLY | O_CREAT | O_EXCL, 0644));
  CALL(symlink("nowhere", "dangling"));
  OPEN(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644));
  // Without O_CREAT the flag has no meaning.
  fd = TRY(open("a", O_RDONLY | O_EXCL));
  CALL(close(fd));
  list(".");
}

CASE(create_through_dangling_link) {
  CALL(symlink("target", "dangling"));
  OPEN(open("dangling", O_RDONLY));
  int fd = TRY(open("dangling", O_WRONLY | O_CREAT, 0644));
  CALL(write(fd, "by link", 7));
  CALL(close(fd));
  cat("target");
  list(".");
}

CASE(truncate_flag) {
  put("a", "contents");
  int fd = TRY(open("a", O_WRONLY));
  CALL(close(fd));
  show("a");
  fd = TRY(open("a", O_WRONLY | O_TRUNC));
  show("a");
  CALL(write(fd, "new", 3));
  CALL(close(fd));
  cat("a");
  CALL(symlink("a", "link"));
  fd = TRY(open("link", O_RDWR | O_TRUNC));
  CALL(close(fd));
  show("a");
}

CASE(append_flag) {
  put("a", "one,");
  int fd = TRY(open("a", O_RDWR | O_APPEND));
  CALL(lseek(fd, 0, SEEK_CUR));
  char text[5] = {0};
  CALL(read(fd, text, 3));
  TEXT("read", text);
  CALL(write(fd, "two,", 4));
  CALL(lseek(fd, 0, SEEK_CUR));
  CALL(lseek(fd, 0, SEEK_SET));
  CALL(write(fd, "three", 5));
  CALL(lseek(fd, 0, SEEK_CUR));
  int other = TRY(open("a", O_WRONLY));
  CALL(ftruncate(other, 2));
  CALL(write(fd, "!", 1));
  CALL(close(other));
  CALL(close(fd));
  cat("a");
}

CASE(access_modes) {
  put("a", "abc");
  char c;
  int fd = TRY(open("a", O_RDONLY));
  CALL(write(fd, "x", 1));
  CALL(pwrite(fd, "x", 1, 0));
  CALL(ftruncate(fd, 0));
  CALL(read(fd, &c, 1));
  CALL(close(fd));
  fd = TRY(open("a", O_WRONLY));
  CALL(read(fd, &c, 1));
  CALL(pread(fd, &c, 1, 0));
  CALL(write(fd, "x", 1));
  CALL(close(fd));
  fd = TRY(open("a", O_RDWR));
  CALL(read(fd, &c, 1));
  CALL(write(fd, "y", 1));
  CALL(close(fd));
  cat("a");
}

CASE(directories) {
  CALL(mkdir("d", 0755));
  put("a", "abc");
  OPEN(open("d", O_WRONLY));
  OPEN(open("d", O_RDWR));
  OPEN(open("d", O_RDONLY | O_CREAT, 0644));
  OPEN(open("d", O_WRONLY | O_TRUNC));
  int fd = TRY(open("d", O_RDONLY));
  char c;
  CALL(read(fd, &c, 1));
  CALL(pread(fd, &c, 1, 0));
  CALL(write(fd, "x", 1));
  CALL(ftruncate(fd, 0));
  CALL(close(fd));
  fd = TRY(open("d", O_RDONLY | O_DIRECTORY));
  CALL(close(fd));
  OPEN(open("a", O_RDONLY | O_DIRECTORY));
  OPEN(open("no", O_RDONLY | O_DIRECTORY));
  CALL(symlink("d", "link"));
  fd = TRY(open("link", O_RDONLY | O_DIRECTORY));
  CALL(close(fd));
  OPEN(open("link", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
}

CASE(no_follow) {
  put("a", "abc");
  CALL(mkdir("d", 0755));
  put("d/b", "def");
  CALL(symlink("a", "link"));
  CALL(symlink("d", "dlink"));
  OPEN(open("link", O_RDONLY | O_NOFOLLOW));
  int fd = TRY(open("a", O_RDONLY | O_NOFOLLOW));
  CALL(close(fd));
  fd = TRY(open("dlink/b", O_RDONLY | O_NOFOLLOW));
  CALL(close(fd));
  CALL(symlink("loop", "loop"));
  OPEN(open("loop", O_RDONLY | O_NOFOLLOW));
  OPEN(open("loop", O_RDONLY));
}

CASE(lowest_descriptor) {
  put("a", "abc");
  int first = TRY(open("a", O_RDONLY));
  int second = TRY(open("a", O_RDONLY));
  int third = TRY(open("a", O_RDONLY));
  HOLDS(first == 3);
  HOLDS(second == first + 1);
  HOLDS(third == second + 1);
  CALL(close(second));
  int again = TRY(open("a", O_RDONLY));
  HOLDS(again == second);
  CALL(close(first));
  int copy = TRY(dup(third));
  HOLDS(copy == first);
  CALL(close(copy));
  CALL(close(again));
  CALL(close(third));
}

CASE(many_descriptors) {
  int descriptors[600];
  int opened = 0;
  for (int i = 0; i < 600; i++) {
    char name[16];
    snprintf(name, sizeof name, "f%d", i);
    descriptors[i] = open(name, O_RDWR | O_CREAT, 0644);
    if (descriptors[i] >= 0 && write(descriptors[i], name, strlen(name)) == (ssize_t)strlen(name)) opened++;
  }
  HOLDS(opened == 600);
  int right = 0;
  for (int i = 0; i < 600; i++) {
    char name[16], text[16] = {0};
    snprintf(name, sizeof name, "f%d", i);
    if (pread(descriptors[i], text, sizeof text - 1, 0) > 0 && strcmp(text, name) == 0) right++;
    if (close(descriptors[i]) < 0) right = -1000;
  }
  HOLDS(right == 600);
}

CASE(relative_to_a_directory) {
  CALL(mkdir("d", 0755));
  put("a", "outside");
  put("d/a", "inside");
  int dir = TRY(open("d", O_RDONLY | O_DIRECTORY));
  int fd = TRY(openat(dir, "a", O_RDONLY));
  char text[16] = {0};
  CALL(read(fd, text, 15));
  TEXT("read", text);
  CALL(close(fd));
  fd = TRY(openat(dir, "new", O_WRONLY | O_CREAT, 0644));
  CALL(close(fd));
  list("d");
  fd = TRY(openat(dir, "../a", O_RDONLY));
  memset(text, 0, sizeof text);
  CALL(read(fd, text, 15));
  TEXT("read", text);
  CALL(close(fd));
  fd = TRY(openat(AT_FDCWD, "a", O_RDONLY));
  OPEN(openat(fd, "a", O_RDONLY));
  CALL(close(fd));
  OPEN(openat(fd, "a", O_RDONLY));
  OPEN(openat(-1, "a", O_RDONLY));
  OPEN(openat(dir, "", O_RDONLY));
  char path[PATH_MAX];
  CALL(getcwd(path, sizeof path) == NULL);
  strcat(path, "/a");
  // An absolute path does not need the directory.
  fd = TRY(openat(-1, path, O_RDONLY));
  CALL(close(fd));
  CALL(rename("d", "moved"));
  fd = TRY(openat(dir, "a", O_RDONLY));
  CALL(close(fd));
  CALL(unlink("moved/a"));
  CALL(unlink("moved/new"));
  CALL(rmdir("moved"));
  OPEN(openat(dir, "a", O_RDONLY));
  OPEN(openat(dir, "a", O_WRONLY | O_CREAT, 0644));
  CALL(close(dir));
}

CASE(modes_and_umask) {
  mode_t before = umask(0);
  HOLDS(before == 022);
  CALL(close(open("all", O_WRONLY | O_CREAT, 0777)));
  show("all");
  CALL(umask(0077));
  CALL(close(open("own", O_WRONLY | O_CREAT, 0777)));
  show("own");
  CALL(mkdir("d", 0777));
  show("d");
  CALL(umask(022));
  CALL(close(open("usual", O_WRONLY | O_CREAT, 0666)));
  show("usual");
  // Only permission bits count.
  CALL(umask(01777) & 0777);
  CALL(umask(022) & 07777);
}

CASE(path_descriptors) {
  put("a", "abc");
  int fd = TRY(open("a", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  char c;
  CALL(read(fd, &c, 1));
  CALL(close(fd));
  fd = TRY(open("a", O_RDWR | O_SYNC));
  CALL(write(fd, "x", 1));
  CALL(close(fd));
}

PROGRAM(open, C(create), C(creat_call), C(exclusive), C(create_through_dangling_link), C(truncate_flag),
        C(append_flag), C(access_modes), C(directories), C(no_follow), C(lowest_descriptor), C(many_descriptors),
        C(relative_to_a_directory), C(modes_and_umask), C(path_descriptors))
