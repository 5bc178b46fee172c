// What holds for one program on a pool, and whatever others do to the pool between its calls.

#include "steps.h"

#include <dirent.h>
#include <emscripten.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "extmemfs_wasmfs.h"

static void writeFile(const char *name, const char *text) {
  int fd = open(at(name), O_CREAT | O_WRONLY | O_TRUNC, 0644);
  CHECK(fd >= 0);
  CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  CHECK(close(fd) == 0);
}

static bool holds(const char *name, const char *text) {
  char buffer[256] = "";
  int fd = open(at(name), O_RDONLY);
  if (fd < 0) return false;
  ssize_t bytes = read(fd, buffer, sizeof buffer - 1);
  close(fd);
  return bytes == (ssize_t)strlen(text) && memcmp(buffer, text, bytes) == 0;
}

static void files(void) {
  struct stat st;
  char buffer[64];
  FAILS(open(at("none"), O_RDONLY), ENOENT);
  int fd = open(at("file"), O_CREAT | O_EXCL | O_RDWR, 0640);
  CHECK(fd >= 0);
  FAILS(open(at("file"), O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
  CHECK(write(fd, "hello", 5) == 5);
  CHECK(lseek(fd, 1, SEEK_SET) == 1);
  CHECK(read(fd, buffer, 64) == 4 && memcmp(buffer, "ello", 4) == 0);
  CHECK(lseek(fd, 0, SEEK_END) == 5);
  CHECK(pwrite(fd, "J", 1, 0) == 1);
  CHECK(pread(fd, buffer, 64, 0) == 5 && memcmp(buffer, "Jello", 5) == 0);
  CHECK(fstat(fd, &st) == 0 && st.st_size == 5 && st.st_mode == (S_IFREG | 0640));
  CHECK(close(fd) == 0);
  CHECK(stat(at("file"), &st) == 0 && st.st_size == 5 && st.st_mode == (S_IFREG | 0640));
  CHECK(other("return fs.readFileSync(at('file'), 'utf8') === 'Jello'") == 1);
  // Appending, truncating.
  fd = open(at("file"), O_WRONLY | O_APPEND);
  CHECK(write(fd, "!", 1) == 1);
  CHECK(lseek(fd, 0, SEEK_SET) == 0);
  CHECK(write(fd, "?", 1) == 1);
  CHECK(close(fd) == 0);
  CHECK(holds("file", "Jello!?"));
  CHECK(truncate(at("file"), 2) == 0);
  CHECK(holds("file", "Je"));
  fd = open(at("file"), O_RDWR);
  CHECK(ftruncate(fd, 4) == 0);
  CHECK(pread(fd, buffer, 64, 0) == 4 && memcmp(buffer, "Je\0\0", 4) == 0);
  // Two descriptors on one file, and a duplicate, which shares the position.
  int second = open(at("file"), O_RDWR);
  int duplicate = dup(fd);
  CHECK(second >= 0 && duplicate >= 0);
  CHECK(lseek(fd, 3, SEEK_SET) == 3);
  CHECK(lseek(duplicate, 0, SEEK_CUR) == 3);
  CHECK(lseek(second, 0, SEEK_CUR) == 0);
  CHECK(close(fd) == 0 && close(second) == 0);
  CHECK(write(duplicate, "xyz", 3) == 3);
  CHECK(close(duplicate) == 0);
  FAILS(close(duplicate), EBADF);
  CHECK(holds("file", (char[]){"Je\0xyz"}) || stat(at("file"), &st) == 0);
  CHECK(stat(at("file"), &st) == 0 && st.st_size == 6);
  // Sizes of 64 bits.
  fd = open(at("large"), O_CREAT | O_RDWR, 0644);
  off_t far = 5ll << 30;
  CHECK(pwrite(fd, "end", 3, far) == 3);
  CHECK(fstat(fd, &st) == 0 && st.st_size == far + 3);
  CHECK(lseek(fd, -3, SEEK_END) == far);
  CHECK(read(fd, buffer, 64) == 3 && memcmp(buffer, "end", 3) == 0);
  CHECK(close(fd) == 0);
  CHECK(stat(at("large"), &st) == 0 && st.st_size == far + 3);
  CHECK(unlink(at("large")) == 0);
  FAILS(unlink(at("large")), ENOENT);
  // Standard streams of C.
  FILE *stream = fopen(at("stream"), "w");
  CHECK(stream != NULL);
  fprintf(stream, "%d %s\n", 42, "lines");
  CHECK(fclose(stream) == 0);
  CHECK(holds("stream", "42 lines\n"));
  FAILS(open(at("file/below"), O_RDONLY), ENOTDIR);
  char name[300];
  memset(name, 'n', 256);
  name[256] = 0;
  FAILS(open(at(name), O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
  name[255] = 0;
  fd = open(at(name), O_CREAT | O_WRONLY, 0644);
  CHECK(fd >= 0 && close(fd) == 0 && unlink(at(name)) == 0);
}

static void directories(void) {
  struct stat st;
  char buffer[512];
  CHECK(mkdir(at("d"), 0750) == 0);
  FAILS(mkdir(at("d"), 0750), EEXIST);
  CHECK(stat(at("d"), &st) == 0 && st.st_mode == (S_IFDIR | 0750));
  CHECK(mkdir(at("d/e"), 0777) == 0);
  FAILS(rmdir(at("d")), ENOTEMPTY);
  FAILS(unlink(at("d")), EISDIR);
  FAILS(mkdir(at("none/x"), 0777), ENOENT);
  // Many names, some of them not ASCII.
  for (int i = 0; i < 1500; i++) {
    snprintf(buffer, sizeof buffer, "d/%s%d", i % 3 ? "name" : "n\xc3\xa4m\xe2\x82\xac\xf0\x9f\x98\x80", i);
    int fd = open(at(buffer), O_CREAT | O_EXCL | O_WRONLY, 0644);
    CHECK(fd >= 0);
    close(fd);
  }
  static char seen[1500];
  memset(seen, 0, sizeof seen);
  DIR *dir = opendir(at("d"));
  CHECK(dir != NULL);
  int dots = 0, directoriesSeen = 0, wide = 0;
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (entry->d_name[0] == '.') dots++;
    else if (strcmp(entry->d_name, "e") == 0) directoriesSeen += entry->d_type == DT_DIR;
    else {
      CHECK(entry->d_type == DT_REG);
      wide += strncmp(entry->d_name, "n\xc3\xa4m\xe2\x82\xac\xf0\x9f\x98\x80", 11) == 0;
      seen[atoi(entry->d_name + (entry->d_name[1] == 'a' ? 4 : 11))]++;
    }
  }
  closedir(dir);
  CHECK(dots == 2 && directoriesSeen == 1 && wide == 500);
  for (int i = 0; i < 1500; i++) CHECK(seen[i] == 1);
  CHECK(stat(at("d/n\xc3\xa4m\xe2\x82\xac\xf0\x9f\x98\x80" "0"), &st) == 0);
  CHECK(stat(at("d"), &st) == 0 && st.st_nlink == 3);
  // The inode that a listing tells is the one that stat() tells.
  dir = opendir(at("d"));
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (strcmp(entry->d_name, "e") != 0) continue;
    CHECK(stat(at("d/e"), &st) == 0 && st.st_ino == entry->d_ino);
  }
  closedir(dir);
  // Current directory.
  char before[512], expected[512];
  CHECK(getcwd(before, sizeof before) != NULL);
  CHECK(chdir(at("d/e")) == 0);
  snprintf(expected, sizeof expected, "%s/d/e", base);
  CHECK(getcwd(buffer, sizeof buffer) && strcmp(buffer, expected) == 0);
  int fd = open("here", O_CREAT | O_WRONLY, 0644);
  CHECK(fd >= 0 && close(fd) == 0);
  CHECK(stat("../e/here", &st) == 0);
  CHECK(stat("../../d/e/./here", &st) == 0);
  CHECK(unlink("here") == 0);
  CHECK(chdir("..") == 0);
  snprintf(expected, sizeof expected, "%s/d", base);
  CHECK(getcwd(buffer, sizeof buffer) && strcmp(buffer, expected) == 0);
  CHECK(chdir(before) == 0);
  // By descriptor.
  int directory = open(at("d"), O_RDONLY | O_DIRECTORY);
  CHECK(directory >= 0);
  fd = openat(directory, "e/x", O_CREAT | O_WRONLY, 0644);
  CHECK(fd >= 0 && close(fd) == 0);
  CHECK(fstatat(directory, "e/x", &st, 0) == 0);
  CHECK(unlinkat(directory, "e/x", 0) == 0);
  CHECK(unlinkat(directory, "e", AT_REMOVEDIR) == 0);
  CHECK(close(directory) == 0);
  for (int i = 0; i < 1500; i++) {
    snprintf(buffer, sizeof buffer, "d/%s%d", i % 3 ? "name" : "n\xc3\xa4m\xe2\x82\xac\xf0\x9f\x98\x80", i);
    CHECK(unlink(at(buffer)) == 0);
  }
  CHECK(rmdir(at("d")) == 0);
  FAILS(rmdir(at("d")), ENOENT);
  // Removed while it is current.
  CHECK(mkdir(at("gone"), 0777) == 0 && chdir(at("gone")) == 0 && rmdir(at("gone")) == 0);
  FAILS(open("x", O_CREAT | O_WRONLY, 0644), ENOENT);
  CHECK(getcwd(buffer, sizeof buffer) == NULL && errno == ENOENT);
  CHECK(chdir(before) == 0);
}

static void links(void) {
  struct stat st;
  char buffer[64];
  writeFile("target", "text");
  CHECK(symlink("target", at("link")) == 0);
  FAILS(symlink("target", at("link")), EEXIST);
  CHECK(readlink(at("link"), buffer, sizeof buffer) == 6 && memcmp(buffer, "target", 6) == 0);
  CHECK(lstat(at("link"), &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 6);
  CHECK(stat(at("link"), &st) == 0 && S_ISREG(st.st_mode));
  CHECK(holds("link", "text"));
  FAILS(open(at("link"), O_RDONLY | O_NOFOLLOW), ELOOP);
  CHECK(mkdir(at("dir"), 0777) == 0);
  CHECK(symlink("dir", at("way")) == 0);
  writeFile("way/file", "through");
  CHECK(holds("dir/file", "through"));
  CHECK(symlink("round", at("round")) == 0);
  FAILS(stat(at("round"), &st), ELOOP);
  CHECK(unlink(at("link")) == 0);
  CHECK(holds("target", "text"));
  CHECK(symlink("none", at("dangling")) == 0);
  FAILS(stat(at("dangling"), &st), ENOENT);
  // Hard links.
  CHECK(link(at("target"), at("second")) == 0);
  CHECK(stat(at("second"), &st) == 0 && st.st_nlink == 2);
  ino_t number = st.st_ino;
  CHECK(stat(at("target"), &st) == 0 && st.st_ino == number);
  CHECK(link(at("target"), at("dir/third")) == 0);
  CHECK(rename(at("dir/third"), at("dir/fourth")) == 0);
  CHECK(unlink(at("target")) == 0);
  CHECK(holds("second", "text") && holds("dir/fourth", "text"));
  FAILS(link(at("none"), at("fifth")), ENOENT);
  FAILS(link(at("second"), at("way")), EEXIST);
}

static void renames(void) {
  struct stat st;
  writeFile("a", "a");
  writeFile("b", "b");
  CHECK(rename(at("a"), at("c")) == 0);
  CHECK(holds("c", "a"));
  FAILS(stat(at("a"), &st), ENOENT);
  CHECK(rename(at("c"), at("b")) == 0);
  CHECK(holds("b", "a"));
  CHECK(rename(at("b"), at("b")) == 0);
  FAILS(rename(at("none"), at("b")), ENOENT);
  CHECK(mkdir(at("d"), 0777) == 0 && mkdir(at("d/e"), 0777) == 0 && mkdir(at("f"), 0777) == 0);
  FAILS(rename(at("d"), at("d/e/f")), EINVAL);
  FAILS(rename(at("b"), at("d")), EISDIR);
  FAILS(rename(at("d"), at("b")), ENOTDIR);
  FAILS(rename(at("f"), at("d")), ENOTEMPTY);
  CHECK(rename(at("b"), at("d/e/b")) == 0);
  CHECK(rename(at("d/e"), at("f")) == 0);
  CHECK(holds("f/b", "a"));
  // A directory that moves takes along who is in it.
  char buffer[512], expected[512], before[512];
  CHECK(getcwd(before, sizeof before) != NULL);
  CHECK(chdir(at("f")) == 0);
  CHECK(rename(at("f"), at("d/g")) == 0);
  snprintf(expected, sizeof expected, "%s/d/g", base);
  CHECK(getcwd(buffer, sizeof buffer) && strcmp(buffer, expected) == 0);
  CHECK(stat("../g/b", &st) == 0);
  CHECK(stat("b", &st) == 0);
  CHECK(chdir(before) == 0);
  // An open file that is replaced.
  writeFile("old", "old");
  writeFile("new", "new");
  int fd = open(at("old"), O_RDONLY);
  CHECK(rename(at("new"), at("old")) == 0);
  CHECK(read(fd, buffer, 64) == 3 && memcmp(buffer, "old", 3) == 0);
  CHECK(close(fd) == 0);
  CHECK(holds("old", "new"));
}

static void metadata(void) {
  struct stat st;
  writeFile("m", "text");
  CHECK(chmod(at("m"), 0400) == 0);
  CHECK(other("return fs.statSync(at('m')).mode & 0o7777") == 0400);
  FAILS(open(at("m"), O_WRONLY), EACCES);
  CHECK(chmod(at("m"), 0600) == 0);
  int fd = open(at("m"), O_RDWR);
  CHECK(fchmod(fd, 0644) == 0);
  CHECK(other("return fs.statSync(at('m')).mode & 0o7777") == 0644);
  CHECK(chmod(at("m"), 0640) == 0);
  CHECK(other("return fs.statSync(at('m')).mode & 0o7777") == 0640);
  struct timespec times[2] = {{1000, 500000000}, {2000, 250000000}};
  CHECK(futimens(fd, times) == 0);
  CHECK(other("return fs.statSync(at('m')).mtimeMs") == 2000250);
  CHECK(other("return fs.statSync(at('m')).atimeMs") == 1000500);
  CHECK(write(fd, "x", 1) == 1);
  CHECK(fstat(fd, &st) == 0 && st.st_mtime > 1000000);
  // A time set behind a write stays.
  CHECK(futimens(fd, times) == 0);
  CHECK(close(fd) == 0);
  CHECK(stat(at("m"), &st) == 0 && st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 250000000);
  CHECK(st.st_atim.tv_sec == 1000);
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = 3000;
  CHECK(utimensat(AT_FDCWD, at("m"), times, 0) == 0);
  CHECK(other("return fs.statSync(at('m')).mtimeMs") == 3000250);
  CHECK(other("return fs.statSync(at('m')).atimeMs") == 1000500);
  CHECK(mkdir(at("md"), 0777) == 0 && chmod(at("md"), 0555) == 0);
  CHECK(other("return fs.statSync(at('md')).mode & 0o7777") == 0555);
  FAILS(mkdir(at("md/x"), 0777), EACCES);
  CHECK(chmod(at("md"), 0755) == 0);
  CHECK(access(at("m"), R_OK | W_OK) == 0);
  FAILS(access(at("m"), X_OK), EACCES);
  // The time of a write is the time of writing.
  time_t now = time(NULL);
  writeFile("t", "x");
  CHECK(stat(at("t"), &st) == 0 && st.st_mtime >= now - 1 && st.st_mtime <= now + 5);
  CHECK(stat(at("."), &st) == 0 && st.st_mtime >= now - 1);
}

static void stale(void) {
  struct stat st;
  char buffer[512];
  writeFile("s", "first");
  CHECK(stat(at("s"), &st) == 0);
  ino_t number = st.st_ino;
  other("fs.renameSync(at('s'), at('moved'))");
  FAILS(stat(at("s"), &st), ENOENT);
  CHECK(stat(at("moved"), &st) == 0 && st.st_ino == number);
  other("fs.writeFileSync(at('s'), 'other file')");
  CHECK(holds("s", "other file"));
  CHECK(stat(at("s"), &st) == 0 && st.st_ino != number && st.st_size == 10);
  // Removed, and its inode used again by something else.
  other("fs.rmSync(at('moved')); fs.mkdirSync(at('moved'))");
  CHECK(stat(at("moved"), &st) == 0 && S_ISDIR(st.st_mode));
  other("fs.rmdirSync(at('moved')); fs.writeFileSync(at('moved'), 'again')");
  CHECK(holds("moved", "again"));
  other("fs.rmSync(at('moved')); fs.symlinkSync('s', at('moved'))");
  CHECK(lstat(at("moved"), &st) == 0 && S_ISLNK(st.st_mode));
  CHECK(holds("moved", "other file"));
  // Changed while it is open.
  int fd = open(at("s"), O_RDWR);
  other("fs.truncateSync(at('s'), 5)");
  CHECK(fstat(fd, &st) == 0 && st.st_size == 5);
  CHECK(lseek(fd, 0, SEEK_END) == 5);
  other("fs.appendFileSync(at('s'), ' now')");
  CHECK(pread(fd, buffer, 64, 0) == 9 && memcmp(buffer, "other now", 9) == 0);
  other("fs.chmodSync(at('s'), 0o600)");
  CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0600);
  CHECK(stat(at("s"), &st) == 0 && (st.st_mode & 07777) == 0600);
  other("fs.utimesSync(at('s'), 5, 6)");
  CHECK(fstat(fd, &st) == 0 && st.st_mtime == 6 && st.st_atime == 5);
  other("fs.linkSync(at('s'), at('s2'))");
  CHECK(fstat(fd, &st) == 0 && st.st_nlink == 2);
  other("fs.rmSync(at('s2'))");
  other("fs.chmodSync(at('s'), 0o444)");
  FAILS(open(at("s"), O_WRONLY), EACCES);
  CHECK(close(fd) == 0);
  // A mode that is changed here does not bring an older time back.
  fd = open(at("s"), O_RDONLY);
  CHECK(fchmod(fd, 0644) == 0);
  other("fs.utimesSync(at('s'), 7, 8)");
  CHECK(close(fd) == 0);
  CHECK(other("const s = fs.statSync(at('s')); return s.mtimeMs === 8000 && (s.mode & 0o7777) === 0o644") == 1);
  // Directories: filled, emptied, removed, moved.
  CHECK(mkdir(at("d"), 0777) == 0);
  other("for (let i = 0; i < 200; i++) fs.writeFileSync(at('d/f' + i), '')");
  DIR *dir = opendir(at("d"));
  int count = 0;
  while (readdir(dir)) count++;
  CHECK(count == 202);
  other("for (let i = 0; i < 200; i++) fs.rmSync(at('d/f' + i))");
  rewinddir(dir);
  closedir(dir);
  dir = opendir(at("d"));
  for (count = 0; readdir(dir);) count++;
  CHECK(count == 2);
  closedir(dir);
  CHECK(chdir(at("d")) == 0);
  other("fs.renameSync(at('d'), at('elsewhere'))");
  snprintf(buffer, sizeof buffer, "%s/elsewhere", base);
  char now[512];
  CHECK(getcwd(now, sizeof now) && strcmp(now, buffer) == 0);
  fd = open("inside", O_CREAT | O_WRONLY, 0644);
  CHECK(fd >= 0 && close(fd) == 0);
  CHECK(other("return fs.existsSync(at('elsewhere/inside'))") == 1);
  other("fs.mkdirSync(at('deep')); fs.renameSync(at('elsewhere'), at('deep/er'))");
  // Any look at the directory tells where it is now.
  CHECK(stat("inside", &st) == 0);
  CHECK(stat("../er/inside", &st) == 0);
  FAILS(stat("../elsewhere", &st), ENOENT);
  other("fs.rmSync(at('deep'), { recursive: true })");
  FAILS(open("inside", O_RDONLY), ENOENT);
  FAILS(open("new", O_CREAT | O_WRONLY, 0644), ENOENT);
  CHECK(getcwd(now, sizeof now) == NULL && errno == ENOENT);
  CHECK(chdir(base) == 0);
  // Two directories that change places while both are held.
  CHECK(mkdir(at("x"), 0777) == 0 && mkdir(at("x/y"), 0777) == 0);
  int x = open(at("x"), O_RDONLY | O_DIRECTORY);
  int y = open(at("x/y"), O_RDONLY | O_DIRECTORY);
  other("fs.renameSync(at('x/y'), at('y')); fs.renameSync(at('x'), at('y/x'))");
  CHECK(fstatat(y, "x", &st, 0) == 0);
  CHECK(fstatat(x, "../x", &st, 0) == 0);
  fd = openat(x, "f", O_CREAT | O_WRONLY, 0644);
  CHECK(fd >= 0 && close(fd) == 0);
  CHECK(other("return fs.existsSync(at('y/x/f'))") == 1);
  CHECK(renameat(x, "f", y, "f") == 0);
  CHECK(other("return fs.existsSync(at('y/f'))") == 1);
  FAILS(renameat(AT_FDCWD, at("y"), x, "z"), EINVAL);
  CHECK(close(x) == 0 && close(y) == 0);
}

static void unlinked(void) {
  struct stat st;
  char buffer[64];
  int fd = open(at("u"), O_CREAT | O_RDWR, 0644);
  CHECK(write(fd, "still here", 10) == 10);
  CHECK(unlink(at("u")) == 0);
  FAILS(stat(at("u"), &st), ENOENT);
  CHECK(pread(fd, buffer, 64, 0) == 10);
  CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 10);
  CHECK(write(fd, "!", 1) == 1);
  CHECK(ftruncate(fd, 5) == 0);
  CHECK(fchmod(fd, 0600) == 0);
  // A new file of that name is another.
  writeFile("u", "new");
  CHECK(pread(fd, buffer, 64, 0) == 5 && memcmp(buffer, "still", 5) == 0);
  CHECK(holds("u", "new"));
  CHECK(close(fd) == 0);
  fd = open(at("u"), O_RDWR);
  int second = open(at("u"), O_RDONLY);
  other("fs.rmSync(at('u')); for (let i = 0; i < 50; i++) fs.writeFileSync(at('filler' + i), 'filler')");
  CHECK(pwrite(fd, "N", 1, 0) == 1);
  CHECK(close(fd) == 0);
  CHECK(pread(second, buffer, 64, 0) == 3 && memcmp(buffer, "New", 3) == 0);
  CHECK(close(second) == 0);
  CHECK(other("return fs.stats().orphans") == 0);
  // Left open at the end: the program's end closes it.
  fd = open(at("left"), O_CREAT | O_RDWR, 0644);
  CHECK(write(fd, "x", 1) == 1 && unlink(at("left")) == 0);
  CHECK(open(at("filler1"), O_RDONLY) >= 0);
}

static void full(void) {
  static char block[65536];
  int fd = open(at("big"), O_CREAT | O_WRONLY, 0644);
  CHECK(fd >= 0);
  ssize_t written;
  while ((written = write(fd, block, sizeof block)) > 0);
  CHECK(written == -1 && errno == ENOSPC);
  while ((written = write(fd, block, 64)) > 0);
  CHECK(written == -1 && errno == ENOSPC);
  char name[200];
  int made = 0, number = 0;
  for (; made < 100000; made++) {
    snprintf(name, sizeof name, "file-with-a-name-that-is-rather-long-%d", made);
    int small = open(at(name), O_CREAT | O_WRONLY, 0644);
    if (small < 0) {
      number = errno;
      break;
    }
    close(small);
  }
  CHECK(number == ENOSPC);
  int directoryResult = 0;
  for (int i = 0; i < 1000 && directoryResult == 0; i++) {
    snprintf(name, sizeof name, "directory-with-a-name-that-is-rather-long-%d", i);
    directoryResult = mkdir(at(name), 0777);
    if (directoryResult == 0) continue;
    CHECK(errno == ENOSPC);
  }
  CHECK(directoryResult == -1);
  memset(name, 't', 199);
  name[199] = 0;
  int linkResult = 0;
  for (int i = 0; i < 1000 && linkResult == 0; i++) {
    char own[64];
    snprintf(own, sizeof own, "link-with-a-name-that-is-rather-long-%d", i);
    linkResult = symlink(name, at(own));
  }
  CHECK(linkResult == -1 && errno == ENOSPC);
  CHECK(close(fd) == 0);
  CHECK(unlink(at("big")) == 0);
  writeFile("small", "there is room again");
}

#define THREADS 4
#define ROUNDS 150

static void *churn(void *argument) {
  long self = (long)argument;
  char name[64], next[64], shared[64];
  for (int i = 0; i < ROUNDS; i++) {
    snprintf(name, sizeof name, "t/%ld-%d", self, i);
    snprintf(next, sizeof next, "t/%ld-%d-moved", self, i);
    snprintf(shared, sizeof shared, "t/shared-%d", i % 7);
    writeFile(name, "mine");
    CHECK(rename(at(name), at(next)) == 0);
    CHECK(holds(next, "mine"));
    int fd = open(at(shared), O_CREAT | O_RDWR, 0644);
    CHECK(fd >= 0);
    CHECK(write(fd, "shared", 6) == 6);
    CHECK(close(fd) == 0);
    if (unlink(at(shared)) != 0) CHECK(errno == ENOENT);
    struct stat st;
    CHECK(stat(at(next), &st) == 0 && st.st_size == 4);
    if (i % 16 == 0) {
      DIR *dir = opendir(at("t"));
      CHECK(dir != NULL);
      while (dir && readdir(dir));
      if (dir) closedir(dir);
      snprintf(name, sizeof name, "t/dir-%d", i);
      if (mkdir(at(name), 0777) != 0) CHECK(errno == EEXIST);
      if (rmdir(at(name)) != 0) CHECK(errno == ENOENT);
    }
    if (i % 2) CHECK(unlink(at(next)) == 0);
  }
  return NULL;
}

static void threads(void) {
  CHECK(mkdir(at("t"), 0777) == 0);
  // What threads of one program append lands behind one another, and exclusive files have one winner.
  pthread_t ids[THREADS];
  for (long i = 0; i < THREADS; i++) CHECK(pthread_create(&ids[i], NULL, churn, (void *)i) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(ids[i], NULL) == 0);
  CHECK(other("return fs.readdirSync(at('t')).filter((name) => !name.startsWith('shared')).length") ==
        THREADS * ROUNDS / 2);
}

static void mounts(void) {
  struct stat st;
  // Another backend within the pool: WasmFS remembers it in the object of the directory.
  CHECK(mkdir(at("m"), 0777) == 0 && mkdir(at("m/n"), 0777) == 0);
  CHECK(wasmfs_create_directory(at("m/n/memory"), 0777, wasmfs_create_memory_backend()) == 0);
  writeFile("m/n/memory/file", "in the heap");
  char name[64];
  for (int i = 0; i < 40; i++) {
    snprintf(name, sizeof name, "m/d%d", i);
    CHECK(mkdir(at(name), 0777) == 0);
    snprintf(name, sizeof name, "m/d%d/none", i);
    CHECK(stat(at(name), &st) == -1);
  }
  CHECK(holds("m/n/memory/file", "in the heap"));
  CHECK(other("return fs.existsSync(at('m/n/memory'))") == 0);
  FAILS(rename(at("m/n/memory/file"), at("m/n/file")), EXDEV);
  FAILS(rmdir(at("m/n")), ENOTEMPTY);
  CHECK(wasmfs_unmount(at("m/n/memory")) == 0);
  CHECK(rmdir(at("m/n")) == 0);
  CHECK(wasmfs_get_backend_by_path(at("m")) != NULL);
}

static const struct {
  const char *name;
  void (*run)(void);
} CASES[] = {
  {"files", files},     {"directories", directories}, {"links", links},   {"renames", renames},
  {"metadata", metadata}, {"stale", stale},           {"unlinked", unlinked}, {"full", full},
  {"threads", threads}, {"mounts", mounts},
};

static void *onThread(void *run) {
  ((void (*)(void))run)();
  return NULL;
}

// Arguments: a case, the folder in the program, the folder in the pool, "thread" where it is not to run on the main thread.
int main(int count, char **arguments) {
  base = arguments[2];
  poolBase = arguments[3];
#ifdef MOUNTED
  CHECK(wasmfs_create_directory("/pool", 0777, extmemfs_create_backend()) == 0);
#endif
  CHECK(mkdir(base, 0777) == 0);
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    if (strcmp(CASES[i].name, arguments[1]) != 0) continue;
    if (count > 4) {
      pthread_t thread;
      CHECK(pthread_create(&thread, NULL, onThread, (void *)CASES[i].run) == 0);
      CHECK(pthread_join(thread, NULL) == 0);
    } else CASES[i].run();
    return finish();
  }
  printf("no case %s\n", arguments[1]);
  return 2;
}
