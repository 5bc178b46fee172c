// What WasmFS makes of others' changes that come at the worst moment: each case prints "exact" where the program sees what it
// would see on Linux, and "limit" where not. Somebody else acts from within the backend's calls, so that every run is the same.

#include "steps.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extmemfs_wasmfs.h"

int flock(int fd, int operation) __attribute__((weak));

static void say(const char *name, bool isExact) { printf("%s: %s\n", name, isExact ? "exact" : "limit"); }

static bool is(const char *name, const char *text) {
  char buffer[64] = "";
  int fd = open(at(name), O_RDONLY);
  if (fd < 0) return false;
  ssize_t bytes = read(fd, buffer, sizeof buffer);
  close(fd);
  return bytes == (ssize_t)strlen(text) && memcmp(buffer, text, bytes) == 0;
}

// Lets somebody append to a file once its size has been asked for.
static void appendBehind(const char *name) {
  char code[400];
  snprintf(code, sizeof code,
           "const own = calls.stat;"
           "calls.stat = (...all) => { const result = own.apply(calls, all); calls.stat = own;"
           "fs.appendFileSync(at('%s'), 'theirs'); return result; }",
           name);
  other(code);
}

static void append(void) {
  int fd = open(at("log"), O_CREAT | O_WRONLY | O_APPEND, 0644);
  appendBehind("log");
  write(fd, "mine", 4);
  close(fd);
  say("append", is("log", "theirsmine"));
  fd = open(at("log2"), O_CREAT | O_WRONLY, 0644);
  fcntl(fd, F_SETFL, O_APPEND);
  appendBehind("log2");
  write(fd, "mine", 4);
  close(fd);
  say("append by fcntl", is("log2", "theirsmine"));
}

// Lets somebody do something just before a call of the backend.
static void before(const char *call, const char *what) {
  char code[400];
  snprintf(code, sizeof code,
           "const own = calls.%s; calls.%s = (...all) => { calls.%s = own; %s; return own.apply(calls, all); }",
           call, call, call, what);
  other(code);
}

static void names(void) {
  before("create", "fs.writeFileSync(at('x'), 'theirs')");
  say("exclusive creation", open(at("x"), O_CREAT | O_EXCL | O_WRONLY, 0644) == -1 && errno == EEXIST);
  before("create", "fs.writeFileSync(at('y'), 'theirs')");
  int fd = open(at("y"), O_CREAT | O_WRONLY, 0644);
  say("creation", fd >= 0 && is("y", "theirs"));
  close(fd);
  before("create", "fs.writeFileSync(at('z'), 'theirs')");
  fd = open(at("z"), O_CREAT | O_WRONLY | O_TRUNC, 0644);
  say("truncating creation", fd >= 0 && is("z", ""));
  close(fd);
  before("makeDirectory", "fs.mkdirSync(at('d'))");
  say("mkdir", mkdir(at("d"), 0777) == -1 && errno == EEXIST);
  before("makeSymlink", "fs.mkdirSync(at('l'))");
  say("symlink", symlink("x", at("l")) == -1 && errno == EEXIST);
  other("calls.create = () => { delete calls.create; return -51; }");
  say("reason", open(at("full"), O_CREAT | O_WRONLY, 0644) == -1 && errno == ENOSPC);
  // These the backend does as one step in any case.
  before("remove", "fs.rmSync(at('x'))");
  say("unlink", unlink(at("x")) == -1 && errno == ENOENT);
  say("link", link(at("y"), at("y2")) == 0 && other("return fs.statSync(at('y')).nlink") == 2);
  other("calls.move && fs.writeFileSync(at('from'), 'text')");
  before("move", "fs.writeFileSync(at('to'), 'theirs')");
  say("rename", rename(at("from"), at("to")) == 0 && is("to", "text"));
  before("open", "fs.writeFileSync(at('next'), 'next'); fs.renameSync(at('next'), at('to'))");
  say("open of what is replaced", is("to", "next"));
}

static void metadata(void) {
  struct stat st, again;
  int fd = open(at("m"), O_CREAT | O_RDWR, 0600);
  fchmod(fd, 0640);
  say("chmod of an open file", other("return fs.statSync(at('m')).mode & 0o777") == 0640);
  close(fd);
  say("chmod, once it is closed", other("return fs.statSync(at('m')).mode & 0o777") == 0640);
  other("fs.linkSync(at('m'), at('m2'))");
  stat(at("m"), &st);
  say("number of names", st.st_nlink == 2);
  fd = open(at("other"), O_CREAT | O_RDWR, 0600);
  stat(at("m2"), &again);
  say("inode number", st.st_ino == again.st_ino && st.st_ino == other("return fs.statSync(at('m')).ino"));
  close(fd);
}

static void directories(void) {
  char path[512];
  struct stat st;
  mkdir(at("here"), 0777);
  chdir(at("here"));
  other("fs.renameSync(at('here'), at('there'))");
  say("getcwd", getcwd(path, sizeof path) && strcmp(path, at("there")) == 0);
  other("fs.mkdirSync(at('deep')); fs.renameSync(at('there'), at('deep/there'))");
  say("first look at ..", stat("../there", &st) == 0);
  stat("none", &st);
  say("next look at ..", stat("../there", &st) == 0);
  chdir(base);
  DIR *dir = opendir(at("deep"));
  other("fs.writeFileSync(at('deep/new'), '')");
  rewinddir(dir);
  int count = 0;
  while (readdir(dir)) count++;
  closedir(dir);
  say("rewinddir", count == 4);
}

static void locks(void) {
  int one = open(at("lock"), O_CREAT | O_RDWR, 0644);
  int two = open(at("lock"), O_RDWR);
  if (flock) {
    flock(one, LOCK_EX);
    say("flock of two descriptors of a program", flock(two, LOCK_EX | LOCK_NB) == -1);
    flock(one, LOCK_UN);
  }
  struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  fcntl(one, F_SETLK, &range);
  say("fcntl", other("return fs.stats().fileLocks") == 1);
  close(two);
  say("close of any descriptor releases", other("return fs.stats().fileLocks") == 0);
  close(one);
}

int main(int count, char **arguments) {
  base = arguments[2];
  poolBase = arguments[3];
  CHECK(wasmfs_create_directory("/pool", 0777, extmemfs_create_backend()) == 0);
  CHECK(mkdir(base, 0777) == 0);
  append();
  names();
  metadata();
  directories();
  locks();
  return finish();
}
