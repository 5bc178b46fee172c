// Names: unlink, rename, hard and symbolic links, and what is wrong with paths.
#include "steps.h"

CASE(unlinking) {
  put("a", "abc");
  CALL(unlink("a"));
  CALL(unlink("a"));
  CALL(unlink(""));
  CALL(unlink("no/a"));
  CALL(mkdir("d", 0755));
  CALL(unlink("d"));
  put("b", "abc");
  put("c", "abc");
  CALL(unlink("b/c"));
  CALL(unlink("c/"));
  CALL(symlink("b", "link"));
  CALL(unlink("link"));
  show("b");
  CALL(remove("b"));
  remove("c");
  CALL(remove("d"));
  CALL(remove("no"));
  list(".");
}

CASE(rename_files) {
  put("a", "aaa");
  CALL(rename("a", "b"));
  list(".");
  put("c", "ccc");
  CALL(rename("b", "c"));
  cat("c");
  list(".");
  CALL(rename("no", "x"));
  CALL(rename("c", "no/x"));
  CALL(rename("c", ""));
  CALL(rename("", "c"));
  CALL(rename("c", "c"));
  CALL(rename("c", "./c"));
  CALL(mkdir("d", 0755));
  CALL(rename("c", "d/c"));
  list(".");
  list("d");
  CALL(rename("d/c", "d"));
  CALL(rename("d", "d/c"));
}

CASE(rename_directories) {
  CALL(mkdir("d", 0755));
  CALL(mkdir("empty", 0755));
  CALL(mkdir("full", 0755));
  put("d/a", "abc");
  put("full/x", "");
  put("file", "");
  CALL(rename("d", "full"));
  CALL(rename("d", "file"));
  CALL(rename("file", "empty"));
  CALL(rename("d", "d/inside"));
  CALL(rename("d", "d/a"));
  CALL(rename("d", "d"));
  CALL(rename("d", "empty"));
  list(".");
  list("empty");
  CALL(rename("empty", "full/d"));
  list("full");
  cat("full/d/a");
  CALL(rename("full", "full/d/below"));
  CALL(rename("full/d", "full"));
  CALL(rename("full/d/", "slash/"));
  list(".");
  CALL(rename("slash/.", "x"));
  CALL(rename("slash", "."));
  CALL(rename("/", "x"));
  CALL(rename("file", "new/"));
  CALL(rename("file/", "new"));
}

CASE(rename_links) {
  put("a", "aaa");
  CALL(symlink("a", "link"));
  CALL(rename("link", "moved"));
  list(".");
  put("b", "bbb");
  CALL(rename("b", "moved"));
  show("moved");
  cat("a");
  CALL(symlink("nowhere", "dangling"));
  CALL(rename("dangling", "still"));
  list(".");
}

CASE(rename_at) {
  CALL(mkdir("d", 0755));
  CALL(mkdir("e", 0755));
  put("d/a", "abc");
  int d = TRY(open("d", O_RDONLY));
  int e = TRY(open("e", O_RDONLY));
  CALL(renameat(d, "a", e, "b"));
  list("d");
  list("e");
  CALL(renameat(e, "b", AT_FDCWD, "c"));
  cat("c");
  CALL(close(d));
  CALL(close(e));
}

CASE(hard_links) {
  put("a", "abc");
  CALL(link("a", "b"));
  show("a");
  show("b");
  struct stat st, other;
  CALL(stat("a", &st));
  CALL(stat("b", &other));
  HOLDS(st.st_ino == other.st_ino);
  int fd = TRY(open("b", O_WRONLY | O_APPEND));
  CALL(write(fd, "def", 3));
  CALL(close(fd));
  cat("a");
  CALL(chmod("a", 0600));
  show("b");
  CALL(unlink("a"));
  show("b");
  CALL(link("no", "x"));
  CALL(link("b", "b"));
  CALL(mkdir("d", 0755));
  CALL(link("d", "e"));
  CALL(link("b", "d"));
  CALL(link("b", "no/x"));
  CALL(link("b", ""));
  CALL(symlink("b", "link"));
  CALL(link("link", "same_link"));
  show("same_link");
  CALL(linkat(AT_FDCWD, "link", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
  show("followed");
  int dir = TRY(open("d", O_RDONLY));
  CALL(linkat(AT_FDCWD, "b", dir, "c", 0));
  show("d/c");
  CALL(close(dir));
  // Two names of one file: nothing happens.
  CALL(rename("b", "followed"));
  show("b");
  list(".");
}

CASE(symbolic_links) {
  char text[64] = {0};
  put("a", "abc");
  CALL(symlink("a", "link"));
  CALL(readlink("link", text, sizeof text));
  TEXT("target", text);
  memset(text, 0, sizeof text);
  CALL(symlink("a/long/path/to/nothing", "other"));
  CALL(readlink("other", text, 6));
  TEXT("target", text);
  CALL(readlink("other", text, 0));
  CALL(readlink("a", text, sizeof text));
  CALL(readlink("no", text, sizeof text));
  CALL(readlink("", text, sizeof text));
  CALL(readlink("link/x", text, sizeof text));
  CALL(symlink("a", "link"));
  CALL(symlink("a", "a"));
  CALL(symlink("", "empty"));
  CALL(symlink("a", ""));
  CALL(symlink("a", "no/link"));
  CALL(symlink("a", "a/link"));
  CALL(mkdir("d", 0755));
  int dir = TRY(open("d", O_RDONLY));
  CALL(symlinkat("../a", dir, "up"));
  memset(text, 0, sizeof text);
  CALL(readlinkat(dir, "up", text, sizeof text));
  TEXT("target", text);
  cat("d/up");
  CALL(close(dir));
  list("d");
}

CASE(chains_and_loops) {
  put("file", "abc");
  CALL(symlink("file", "l0"));
  for (int i = 1; i <= 45; i++) {
    char target[16], name[16];
    snprintf(target, sizeof target, "l%d", i - 1);
    snprintf(name, sizeof name, "l%d", i);
    if (symlink(target, name) < 0) say("symlink: %s", error_name(errno));
  }
  cat("l0");
  cat("l7");
  cat("l39");
  cat("l40");
  cat("l45");
  CALL(symlink("b", "a"));
  CALL(symlink("a", "b"));
  OPEN(open("a", O_RDONLY));
  OPEN(open("a", O_WRONLY | O_CREAT, 0644));
  struct stat st;
  CALL(stat("a", &st));
  CALL(lstat("a", &st));
  CALL(stat("a/x", &st));
  CALL(chdir("a"));
  CALL(mkdir("a/x", 0755));
  CALL(truncate("a", 0));
  CALL(access("a", F_OK));
  CALL(symlink("self/x", "self"));
  CALL(stat("self", &st));
  CALL(unlink("a"));
  CALL(unlink("self"));
}

CASE(through_linked_directories) {
  CALL(mkdir("d", 0755));
  CALL(mkdir("d/e", 0755));
  put("d/a", "in d");
  put("a", "outside");
  CALL(symlink("d/e", "link"));
  // Up from where the link leads to, not from where it lies.
  cat("link/../a");
  CALL(symlink("..", "d/e/up"));
  cat("link/up/a");
  char path[PATH_MAX];
  CALL(getcwd(path, sizeof path) == NULL);
  strcat(path, "/d");
  CALL(symlink(path, "absolute"));
  cat("absolute/a");
  CALL(symlink("d/", "slash"));
  cat("slash/a");
  CALL(symlink("a", "file_link"));
  OPEN(open("file_link/", O_RDONLY));
  CALL(mkdir("link/new", 0755));
  list("d/e");
  CALL(rmdir("link/new"));
  CALL(unlink("link"));
  list("d");
}

// Two calls may stand in one statement.
static char *repeat(char c, int count) {
  static char buffers[2][8192];
  static int turn;
  char *buffer = buffers[turn = !turn];
  memset(buffer, c, count);
  buffer[count] = '\0';
  return buffer;
}

CASE(long_names) {
  struct stat st;
  int fd = TRY(open(repeat('n', 255), O_WRONLY | O_CREAT, 0644));
  CALL(close(fd));
  CALL(stat(repeat('n', 255), &st));
  OPEN(open(repeat('n', 256), O_WRONLY | O_CREAT, 0644));
  CALL(mkdir(repeat('d', 256), 0755));
  CALL(mkdir(repeat('d', 255), 0755));
  CALL(symlink("x", repeat('s', 256)));
  CALL(rename(repeat('n', 255), repeat('m', 256)));
  CALL(stat(repeat('x', 256), &st));
  CALL(unlink(repeat('x', 256)));
  CALL(chdir(repeat('x', 256)));
  // 255 bytes are fewer characters in UTF-8.
  char wide[300] = "";
  for (int i = 0; i < 85; i++) strcat(wide, "\xe2\x82\xac");
  fd = TRY(open(wide, O_WRONLY | O_CREAT, 0644));
  CALL(close(fd));
  strcat(wide, "x");
  OPEN(open(wide, O_WRONLY | O_CREAT, 0644));
}

CASE(long_paths) {
  struct stat st;
  CALL(mkdir("d", 0755));
  char path_4001[8192] = "d", path_5001[8192] = "d";
  for (int i = 0; i < 2000; i++) strcat(path_4001, "/.");
  for (int i = 0; i < 2500; i++) strcat(path_5001, "/.");
  CALL(stat(path_4001, &st));
  CALL(stat(path_5001, &st));
  OPEN(open(path_5001, O_RDONLY));
  CALL(mkdir(path_5001, 0755));
  CALL(symlink(repeat('t', 4095), "long"));
  CALL(symlink(repeat('t', 4096), "longer"));
}

CASE(trailing_slashes) {
  struct stat st;
  put("a", "abc");
  CALL(mkdir("d", 0755));
  CALL(stat("a/", &st));
  OPEN(open("a/", O_RDONLY));
  OPEN(open("new/", O_WRONLY | O_CREAT, 0644));
  CALL(stat("d//", &st));
  CALL(mkdir("e///", 0755));
  CALL(rmdir("e/"));
  put("b", "b");
  CALL(unlink("b/"));
  CALL(symlink("d", "link/"));
  CALL(access("a/.", F_OK));
  CALL(access("a/..", F_OK));
  CALL(access("d/../a", F_OK));
  CALL(access("./././a", F_OK));
  CALL(access(".//a", F_OK));
  CALL(access("no/../a", F_OK));
  CALL(truncate("a/", 0));
  CALL(link("a", "new/"));
  list(".");
}

CASE(real_paths) {
  CALL(mkdir("d", 0755));
  put("d/a", "");
  CALL(symlink("d", "link"));
  CALL(symlink("link/a", "second"));
  char path[PATH_MAX];
  const char *base = base_directory();
  const char *tries[] = {"d/a", "link/a", "second", ".//d/../link", "no", "d/no", "d/a/x", "", "d/a/"};
  for (int i = 0; i < 9; i++) {
    errno = 0;
    if (realpath(tries[i], path) == NULL) say("realpath(%s): %s", tries[i], error_name(errno));
    else say("realpath(%s): %s", tries[i], strncmp(path, base, strlen(base)) == 0 ? path + strlen(base) : path);
  }
}

PROGRAM(names, C(unlinking), C(rename_files), C(rename_directories), C(rename_links), C(rename_at), C(hard_links),
        C(symbolic_links), C(chains_and_loops), C(through_linked_directories), C(long_names), C(long_paths),
        C(trailing_slashes), C(real_paths))
