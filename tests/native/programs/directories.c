// Directories: making, removing, listing, and the working directory.
#include "steps.h"

CASE(make_and_remove) {
  CALL(mkdir("d", 0755));
  show("d");
  CALL(mkdir("d", 0755));
  CALL(mkdir("d/e/f", 0755));
  CALL(mkdir("d/e/", 0755));
  CALL(mkdir("", 0755));
  CALL(mkdir(".", 0755));
  CALL(mkdir("..", 0755));
  CALL(mkdir("/", 0755));
  put("a", "abc");
  CALL(mkdir("a", 0755));
  CALL(mkdir("a/b", 0755));
  CALL(symlink("nowhere", "dangling"));
  CALL(mkdir("dangling", 0755));
  CALL(rmdir("d"));
  CALL(rmdir("d/e"));
  CALL(rmdir("d"));
  CALL(rmdir("d"));
  CALL(rmdir("a"));
  CALL(rmdir(""));
  CALL(rmdir("a/b"));
  CALL(mkdir("t", 01777));
  show("t");
  list(".");
}

CASE(remove_special) {
  CALL(mkdir("d", 0755));
  CALL(rmdir("d/."));
  CALL(rmdir("d/.."));
  CALL(mkdir("d/e", 0755));
  CALL(rmdir("d/e/.."));
  CALL(rmdir("d/e/"));
  CALL(symlink("d", "link"));
  CALL(rmdir("link"));
  CALL(rmdir("link/"));
  CALL(unlink("d"));
  CALL(unlink("link"));
  CALL(rmdir("d"));
  CALL(rmdir("/"));
}

CASE(make_and_remove_at) {
  CALL(mkdir("d", 0755));
  int dir = TRY(open("d", O_RDONLY | O_DIRECTORY));
  CALL(mkdirat(dir, "e", 0755));
  put("d/a", "abc");
  list("d");
  CALL(unlinkat(dir, "e", 0));
  CALL(unlinkat(dir, "a", AT_REMOVEDIR));
  CALL(unlinkat(dir, "a", 1));
  CALL(unlinkat(dir, "a", 0));
  CALL(unlinkat(dir, "e", AT_REMOVEDIR));
  CALL(unlinkat(dir, "e", AT_REMOVEDIR));
  CALL(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
  CALL(mkdirat(dir, "e", 0755));
  CALL(close(dir));
}

CASE(entries) {
  list(".");
  put("file", "x");
  CALL(mkdir("directory", 0755));
  CALL(symlink("file", "link"));
  put(".hidden", "");
  put("with space", "");
  put("\xc3\xa4\xe2\x82\xac", "");
  list(".");
  list("directory");
  list("link");
  list("no");
}

CASE(entry_numbers) {
  put("a", "x");
  CALL(mkdir("d", 0755));
  struct stat st;
  DIR *dir = (DIR *)POINTER(opendir("."));
  struct dirent *entry;
  int right = 0;
  while ((entry = readdir(dir)) != NULL) {
    if (lstat(entry->d_name, &st) == 0 && st.st_ino == entry->d_ino) right++;
  }
  // ".." included.
  CALL(right);
  HOLDS(dirfd(dir) > 2);
  CALL(fstat(dirfd(dir), &st));
  CALL(closedir(dir));
}

static int count_entries(DIR *dir) {
  int count = 0;
  while (readdir(dir) != NULL) count++;
  return count;
}

CASE(many_entries) {
  for (int i = 0; i < 1000; i++) {
    char name[64];
    // Names of many lengths.
    snprintf(name, sizeof name, "%0*d", 1 + i % 40, i);
    put(name, "");
  }
  static char seen[1000];
  DIR *dir = (DIR *)POINTER(opendir("."));
  struct dirent *entry;
  int count = 0, twice = 0;
  while ((entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] == '.') continue;
    count++;
    int i = atoi(entry->d_name);
    if (i < 0 || i > 999 || seen[i]++) twice++;
  }
  CALL(count);
  CALL(twice);
  rewinddir(dir);
  CALL(count_entries(dir));
  CALL(closedir(dir));
}

CASE(remove_while_listing) {
  for (int i = 0; i < 300; i++) {
    char name[16];
    snprintf(name, sizeof name, "f%d", i);
    put(name, "");
  }
  DIR *dir = (DIR *)POINTER(opendir("."));
  struct dirent *entry;
  int removed = 0;
  while ((entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] == 'f' && unlink(entry->d_name) == 0) removed++;
  }
  CALL(removed);
  CALL(closedir(dir));
  list(".");
}

CASE(rewind_sees_changes) {
  put("a", "");
  DIR *dir = (DIR *)POINTER(opendir("."));
  CALL(count_entries(dir));
  put("b", "");
  rewinddir(dir);
  CALL(count_entries(dir));
  CALL(unlink("a"));
  rewinddir(dir);
  CALL(count_entries(dir));
  CALL(closedir(dir));
}

CASE(positions) {
  for (int i = 0; i < 60; i++) {
    char name[16];
    snprintf(name, sizeof name, "f%d", i);
    put(name, "");
  }
  char names[64][32];
  long places[64];
  DIR *dir = (DIR *)POINTER(opendir("."));
  int count = 0;
  struct dirent *entry;
  for (;;) {
    places[count] = telldir(dir);
    if ((entry = readdir(dir)) == NULL) break;
    strcpy(names[count++], entry->d_name);
  }
  CALL(count);
  int right = 0;
  for (int i = count - 1; i >= 0; i -= 7) {
    seekdir(dir, places[i]);
    entry = readdir(dir);
    if (entry != NULL && strcmp(entry->d_name, names[i]) == 0) right++;
  }
  CALL(right);
  seekdir(dir, places[0]);
  CALL(count_entries(dir));
  CALL(closedir(dir));
}

CASE(from_a_descriptor) {
  CALL(mkdir("d", 0755));
  put("d/a", "");
  int fd = TRY(open("d", O_RDONLY | O_DIRECTORY));
  DIR *dir = (DIR *)POINTER(fdopendir(fd));
  CALL(count_entries(dir));
  CALL(lseek(fd, 0, SEEK_SET));
  CALL(closedir(dir));
  CALL(close(fd));
}

static int no_dots(const struct dirent *entry) { return entry->d_name[0] != '.'; }

CASE(scan) {
  put("b", "");
  put("c", "");
  CALL(mkdir("a", 0755));
  struct dirent **entries;
  int count = CALL(scandir(".", &entries, no_dots, alphasort));
  for (int i = 0; i < count; i++) {
    TEXT("entry", entries[i]->d_name);
    free(entries[i]);
  }
  if (count >= 0) free(entries);
  CALL(scandir("no", &entries, NULL, NULL));
}

CASE(removed_directory) {
  CALL(mkdir("d", 0755));
  DIR *dir = (DIR *)POINTER(opendir("d"));
  CALL(rmdir("d"));
  CALL(count_entries(dir));
  struct stat st;
  CALL(fstat(dirfd(dir), &st));
  CALL(closedir(dir));
}

static void show_cwd(void) {
  char path[PATH_MAX];
  if (getcwd(path, sizeof path) == NULL) {
    say("working directory: %s", error_name(errno));
    return;
  }
  const char *base = base_directory();
  size_t length = strlen(base);
  say("working directory: %s", strncmp(path, base, length) == 0 ? path + length : path);
}

CASE(working_directory) {
  show_cwd();
  CALL(mkdir("d", 0755));
  CALL(mkdir("d/e", 0755));
  CALL(chdir("d"));
  show_cwd();
  put("a", "abc");
  CALL(chdir("e"));
  show_cwd();
  cat("../a");
  CALL(chdir(".."));
  show_cwd();
  CALL(chdir("../d/./e/../e/"));
  show_cwd();
  CALL(chdir("no"));
  CALL(chdir(""));
  CALL(chdir("../a"));
  show_cwd();
  char small[4];
  POINTER(getcwd(small, sizeof small));
  POINTER(getcwd(small, 0));
  char *own = (char *)POINTER(getcwd(NULL, 0));
  free(own);
  CALL(chdir("/"));
  show_cwd();
  CALL(chdir(".."));
  show_cwd();
}

CASE(working_directory_by_descriptor) {
  CALL(mkdir("d", 0755));
  int here = TRY(open(".", O_RDONLY));
  int fd = TRY(open("d", O_RDONLY));
  CALL(fchdir(fd));
  show_cwd();
  CALL(fchdir(here));
  show_cwd();
  CALL(close(fd));
  CALL(close(here));
}

CASE(working_directory_by_link) {
  CALL(mkdir("d", 0755));
  CALL(mkdir("d/e", 0755));
  CALL(symlink("d/e", "link"));
  CALL(chdir("link"));
  show_cwd();
  CALL(chdir(".."));
  show_cwd();
}

CASE(working_directory_moves) {
  CALL(mkdir("d", 0755));
  CALL(mkdir("d/e", 0755));
  CALL(chdir("d/e"));
  CALL(rename("../../d", "../../moved"));
  show_cwd();
  put("a", "abc");
  CALL(chdir("../.."));
  cat("moved/e/a");
}

CASE(working_directory_removed) {
  CALL(mkdir("d", 0755));
  CALL(chdir("d"));
  CALL(rmdir("../d"));
  show_cwd();
  OPEN(open("a", O_WRONLY | O_CREAT, 0644));
  CALL(mkdir("e", 0755));
  CALL(symlink("a", "link"));
  struct stat st;
  CALL(stat(".", &st));
  CALL(stat("a", &st));
  list(".");
}

PROGRAM(directories, C(make_and_remove), C(remove_special), C(make_and_remove_at), C(entries), C(entry_numbers),
        C(many_entries), C(remove_while_listing), C(rewind_sees_changes), C(positions), C(from_a_descriptor), C(scan),
        C(removed_directory), C(working_directory), C(working_directory_by_descriptor), C(working_directory_by_link),
        C(working_directory_moves), C(working_directory_removed))
