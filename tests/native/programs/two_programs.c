// Two programs that meet in one file system. Natively they are two processes.
//
// Arguments: the case, and the role, 0 or 1. They wait for each other by files. Exit code 1 when something is wrong.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "finish.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int role, failures;
static const char *name_of_case;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void fail(const char *format, ...) {
  int error = errno;
  if (++failures > 5) return;
  va_list args;
  va_start(args, format);
  printf("%s, role %d: ", name_of_case, role);
  vprintf(format, args);
  printf(" (errno %d: %s)\n", error, strerror(error));
  va_end(args);
}

#define CHECK(condition, ...) \
  do {                        \
    if (!(condition)) fail(__VA_ARGS__); \
  } while (0)

static void touch(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT, 0644);
  CHECK(fd >= 0, "cannot make %s", path);
  close(fd);
}

static int exists(const char *path) { return access(path, F_OK) == 0; }

static void put(const char *path, const void *bytes, int count) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0 && write(fd, bytes, count) == count, "cannot write %s", path);
  close(fd);
}

static int get_number(const char *path) {
  char text[32] = {0};
  int fd = open(path, O_RDONLY);
  CHECK(fd >= 0 && read(fd, text, 31) >= 0, "cannot read %s", path);
  close(fd);
  return atoi(text);
}

static void put_number(const char *path, int number) {
  char text[32];
  put(path, text, sprintf(text, "%d", number));
}

// Waits until the other has come as far.
static void meet(const char *place) {
  char own[64], other[64];
  sprintf(own, "%s.%d", place, role);
  sprintf(other, "%s.%d", place, 1 - role);
  touch(own);
  for (int i = 0; i < 20000; i++) {
    if (exists(other)) return;
    usleep(1000);
  }
  fail("the other never came to %s", place);
  exit(1);
}

static int lock_range(int fd, int command, short type, int start, int length) {
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return fcntl(fd, command, &lock);
}

static int refused(int result) { return result < 0 && (errno == EAGAIN || errno == EACCES); }

static void append(void) {
  enum { RECORDS = 1500 };
  char record[300];
  meet("start");
  int fd = open("log", O_WRONLY | O_APPEND | O_CREAT, 0644);
  for (int i = 0; i < RECORDS; i++) {
    int body = (i * 37 + role * 11) % 250;
    int length = sprintf(record, "<%d %05d %03d ", role, i, body);
    memset(record + length, 'a' + i % 26, body);
    length += body;
    record[length++] = '>';
    record[length++] = '\n';
    CHECK(write(fd, record, length) == length, "append %d", i);
  }
  close(fd);
  meet("end");
  FILE *log = fopen("log", "r");
  int next[2] = {0, 0};
  while (log != NULL && fgets(record, sizeof record, log) != NULL) {
    int who, number, body, head = 0;
    if (sscanf(record, "<%d %d %d %n", &who, &number, &body, &head) < 3 || who < 0 || who > 1 ||
        (int)strlen(record) != head + body + 2 || strcmp(record + head + body, ">\n") != 0) {
      fail("a record is torn: %.60s", record);
      break;
    }
    for (int i = 0; i < body; i++) {
      if (record[head + i] != 'a' + number % 26) {
        fail("record %d of %d is mixed", number, who);
        break;
      }
    }
    CHECK(number == next[who], "of %d, record %d follows %d", who, number, next[who] - 1);
    next[who] = number + 1;
  }
  CHECK(next[0] == RECORDS && next[1] == RECORDS, "%d and %d records", next[0], next[1]);
  if (log != NULL) fclose(log);
}

static void exclusive(void) {
  enum { ROUNDS = 500 };
  int wins = 0;
  char path[32];
  meet("start");
  for (int i = 0; i < ROUNDS; i++) {
    sprintf(path, "x%d", i);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    CHECK(fd >= 0 || errno == EEXIST, "%s", path);
    if (fd < 0) continue;
    wins++;
    close(fd);
  }
  sprintf(path, "wins%d", role);
  put_number(path, wins);
  meet("end");
  int sum = get_number("wins0") + get_number("wins1");
  CHECK(sum == ROUNDS, "%d wins in %d rounds", sum, ROUNDS);
}

static void rename_over(void) {
  enum { ROUNDS = 1000, BYTES = 5000 };
  static char bytes[BYTES + 8];
  if (role == 0) {
    memset(bytes, 'a', BYTES);
    put("published", bytes, BYTES);
  }
  meet("start");
  if (role == 0) {
    for (int i = 0; i < ROUNDS; i++) {
      memset(bytes, 'a' + i % 26, BYTES);
      put("new", bytes, BYTES);
      CHECK(rename("new", "published") == 0, "rename %d", i);
    }
    touch("done");
    return;
  }
  int looks = 0, changes = 0;
  char last = 0;
  while (!exists("done") || looks < 10) {
    int fd = open("published", O_RDONLY);
    CHECK(fd >= 0, "the file is missing");
    if (fd < 0) break;
    ssize_t n = read(fd, bytes, sizeof bytes);
    CHECK(n == BYTES, "the file has %d bytes", (int)n);
    for (int i = 1; i < n; i++) {
      if (bytes[i] != bytes[0]) {
        fail("the file is of two, from byte %d", i);
        break;
      }
    }
    changes += bytes[0] != last;
    last = bytes[0];
    looks++;
    close(fd);
  }
  CHECK(changes > 0, "nothing was seen");
}

static void unlink_while_open(void) {
  char text[32] = {0};
  struct stat st;
  if (role == 0) put("file", "first", 5);
  meet("made");
  int fd = open("file", O_RDWR);
  CHECK(fd >= 0, "open");
  meet("open");
  if (role == 0) {
    CHECK(unlink("file") == 0, "unlink");
    put("file", "second", 6);
    // Its own descriptor is of the first too.
    CHECK(pread(fd, text, 31, 0) == 5 && strcmp(text, "first") == 0, "read '%s'", text);
    close(fd);
  }
  meet("unlinked");
  if (role == 1) {
    CHECK(read(fd, text, 31) == 5 && strcmp(text, "first") == 0, "read '%s'", text);
    CHECK(write(fd, "+more", 5) == 5, "write");
    CHECK(fstat(fd, &st) == 0 && st.st_size == 10, "size %d", (int)st.st_size);
    close(fd);
    memset(text, 0, sizeof text);
    fd = open("file", O_RDONLY);
    CHECK(read(fd, text, 31) == 6 && strcmp(text, "second") == 0, "read '%s'", text);
    close(fd);
  }
  meet("end");
}

static void critical_sections(int (*lock)(int fd), int (*unlock)(int fd)) {
  enum { ROUNDS = 400 };
  if (role == 0) put_number("counter", 0);
  meet("start");
  int fd = open("lock", O_RDWR | O_CREAT, 0644);
  for (int i = 0; i < ROUNDS; i++) {
    CHECK(lock(fd) == 0, "lock %d", i);
    // Nobody else may be between here and the removal.
    int inside = open("inside", O_WRONLY | O_CREAT | O_EXCL, 0644);
    CHECK(inside >= 0, "two are inside");
    close(inside);
    put_number("counter", get_number("counter") + 1);
    CHECK(unlink("inside") == 0, "unlink");
    CHECK(unlock(fd) == 0, "unlock %d", i);
  }
  close(fd);
  meet("end");
  CHECK(get_number("counter") == 2 * ROUNDS, "the counter is %d", get_number("counter"));
}

static int lock_all(int fd) { return lock_range(fd, F_SETLKW, F_WRLCK, 0, 0); }

static int unlock_all(int fd) { return lock_range(fd, F_SETLK, F_UNLCK, 0, 0); }

static void fcntl_sections(void) { critical_sections(lock_all, unlock_all); }

static void fcntl_ranges(void) {
  int fd = open("file", O_RDWR | O_CREAT, 0644);
  meet("open");
  if (role == 0) CHECK(lock_range(fd, F_SETLK, F_WRLCK, 0, 10) == 0, "lock");
  meet("locked");
  if (role == 1) {
    CHECK(refused(lock_range(fd, F_SETLK, F_WRLCK, 9, 1)), "the last byte is not locked");
    CHECK(refused(lock_range(fd, F_SETLK, F_RDLCK, 0, 1)), "the first byte is not locked");
    CHECK(refused(lock_range(fd, F_SETLK, F_RDLCK, 5, 0)), "the rest is not locked");
    CHECK(lock_range(fd, F_SETLK, F_WRLCK, 10, 5) == 0, "the byte behind is locked");
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;
    CHECK(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK && lock.l_start == 0 && lock.l_len == 10,
          "F_GETLK: type %d, %d bytes from %d", lock.l_type, (int)lock.l_len, (int)lock.l_start);
  }
  meet("tried");
  if (role == 0) {
    // A part of it is given back.
    CHECK(lock_range(fd, F_SETLK, F_UNLCK, 3, 4) == 0, "unlock the middle");
  }
  meet("split");
  if (role == 1) {
    CHECK(lock_range(fd, F_SETLK, F_WRLCK, 3, 4) == 0, "the middle is locked");
    CHECK(refused(lock_range(fd, F_SETLK, F_WRLCK, 2, 1)), "what is before the middle is not locked");
    CHECK(refused(lock_range(fd, F_SETLK, F_WRLCK, 7, 1)), "what is behind the middle is not locked");
    // From here on it waits, until the other has said that it goes.
    touch("waiting");
    CHECK(lock_range(fd, F_SETLKW, F_WRLCK, 0, 3) == 0, "wait for the lock");
    CHECK(exists("released"), "the lock came before it was released");
  } else {
    while (!exists("waiting")) usleep(1000);
    usleep(50000);
    touch("released");
    CHECK(lock_range(fd, F_SETLK, F_UNLCK, 0, 0) == 0, "unlock");
  }
  meet("end");
  close(fd);
}

static void fcntl_shared(void) {
  int fd = open("file", O_RDWR | O_CREAT, 0644);
  meet("open");
  CHECK(lock_range(fd, F_SETLK, F_RDLCK, 0, 10) == 0, "shared lock");
  meet("both");
  CHECK(refused(lock_range(fd, F_SETLK, F_WRLCK, 0, 10)), "exclusive while shared");
  meet("refused");
  if (role == 0) CHECK(lock_range(fd, F_SETLK, F_UNLCK, 0, 10) == 0, "unlock");
  meet("one");
  if (role == 1) CHECK(lock_range(fd, F_SETLK, F_WRLCK, 0, 10) == 0, "exclusive when alone");
  meet("end");
  close(fd);
}

// Closing any descriptor of a file gives back all fcntl locks on it.
static void fcntl_close(void) {
  int fd = open("file", O_RDWR | O_CREAT, 0644);
  meet("open");
  if (role == 0) CHECK(lock_range(fd, F_SETLK, F_WRLCK, 0, 10) == 0, "lock");
  meet("locked");
  if (role == 1) CHECK(refused(lock_range(fd, F_SETLK, F_WRLCK, 0, 10)), "it is not locked");
  meet("tried");
  if (role == 0) close(open("file", O_RDONLY));
  meet("closed");
  if (role == 1) CHECK(lock_range(fd, F_SETLK, F_WRLCK, 0, 10) == 0, "it is still locked");
  meet("end");
  close(fd);
}

static void fcntl_deadlock(void) {
  int fd = open("file", O_RDWR | O_CREAT, 0644);
  meet("open");
  CHECK(lock_range(fd, F_SETLK, F_WRLCK, role, 1) == 0, "own lock");
  meet("locked");
  int result = lock_range(fd, F_SETLKW, F_WRLCK, 1 - role, 1);
  CHECK(result == 0 || errno == EDEADLK, "the other's lock");
  if (result < 0) {
    touch("deadlock");
    CHECK(lock_range(fd, F_SETLK, F_UNLCK, role, 1) == 0, "give up");
  }
  meet("end");
  CHECK(exists("deadlock"), "no EDEADLK");
  close(fd);
}

static void fcntl_exit(void) {
  int fd = open("file", O_RDWR | O_CREAT, 0644);
  if (role == 0) CHECK(lock_range(fd, F_SETLK, F_WRLCK, 0, 10) == 0, "lock");
  meet("locked");
  // It ends without unlocking or closing.
  if (role == 0) return;
  CHECK(lock_range(fd, F_SETLKW, F_WRLCK, 0, 10) == 0, "lock after the other's end");
  close(fd);
}

#ifdef WITH_FLOCK
static int flock_exclusive(int fd) { return flock(fd, LOCK_EX); }

static int flock_unlock(int fd) { return flock(fd, LOCK_UN); }

static void flock_sections(void) { critical_sections(flock_exclusive, flock_unlock); }

static void flock_shared(void) {
  int fd = open("file", O_RDWR | O_CREAT, 0644);
  meet("open");
  CHECK(flock(fd, LOCK_SH | LOCK_NB) == 0, "shared lock");
  meet("both");
  if (role == 0) CHECK(flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK, "exclusive while shared");
  meet("refused");
  if (role == 1) CHECK(flock(fd, LOCK_UN) == 0, "unlock");
  meet("one");
  if (role == 0) CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0, "exclusive when alone");
  meet("exclusive");
  if (role == 1) CHECK(flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK, "shared while exclusive");
  meet("tried");
  if (role == 0) {
    usleep(20000);
    touch("released");
    close(fd);
  } else {
    CHECK(flock(fd, LOCK_SH) == 0, "lock after the other's close");
    CHECK(exists("released"), "the lock came before it was released");
    close(fd);
  }
  meet("end");
}

static void flock_exit(void) {
  int fd = open("file", O_RDWR | O_CREAT, 0644);
  if (role == 0) CHECK(flock(fd, LOCK_EX) == 0, "lock");
  meet("locked");
  // It ends without unlocking or closing.
  if (role == 0) return;
  CHECK(flock(fd, LOCK_EX) == 0, "lock after the other's end");
  close(fd);
}
#endif

static const struct {
  const char *name;
  void (*run)(void);
} cases[] = {
    {"append", append},
    {"exclusive", exclusive},
    {"rename_over", rename_over},
    {"unlink_while_open", unlink_while_open},
    {"fcntl_sections", fcntl_sections},
    {"fcntl_ranges", fcntl_ranges},
    {"fcntl_shared", fcntl_shared},
    {"fcntl_close", fcntl_close},
    {"fcntl_deadlock", fcntl_deadlock},
    {"fcntl_exit", fcntl_exit},
#ifdef WITH_FLOCK
    {"flock_sections", flock_sections},
    {"flock_shared", flock_shared},
    {"flock_exit", flock_exit},
#endif
};

int main(int argc, char **argv) {
  name_of_case = argc > 1 ? argv[1] : "";
  role = argc > 2 ? atoi(argv[2]) : 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef __EMSCRIPTEN__
  char directory[64];
  sprintf(directory, "/two_%s", name_of_case);
  if ((mkdir(directory, 0755) < 0 && errno != EEXIST) || chdir(directory) < 0) return 3;
#endif
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (strcmp(cases[i].name, name_of_case) != 0) continue;
    cases[i].run();
    printf("%s, role %d: %s\n", name_of_case, role, failures ? "failed" : "ok");
    finish_output();
    return failures ? 1 : 0;
  }
  printf("no case %s\n", name_of_case);
  return 2;
}
