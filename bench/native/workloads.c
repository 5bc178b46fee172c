/*
 * The workloads of the native speed table: plain POSIX calls, the same source for every filesystem.
 *
 *     workloads [--ms=MS] [--reps=N] [--directory=PATH] [WORKLOAD...]
 *
 * prints one line a workload: its name, then the median, least and greatest nanoseconds of an operation, by tabs. A
 * build may define bench_mount() to mount a filesystem of its own and return the directory to work in.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

enum {
  SMALL_BYTES = 16,
  SMALL_FILE_BYTES = 4 << 20,
  PAGE_BYTES = 4 << 10,
  PIECE_BYTES = 64 << 10,
  PIECE_COUNT = 4096, /* of 64 KiB: 256 MiB */
  LISTED_COUNT = 1000,
  FILES_MAX = 2000,
  REPS_MAX = 99,
};

static const char *base = "/bench";
static double round_ms = 60;
static int reps = 5;

const char *bench_mount(void) __attribute__((weak));

static double now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

/* A call that must not fail: what fails is named, and ends the program. */
#define MUST(call) must((long)(call), #call)
static long must(long result, const char *call) {
  if (result < 0) {
    complain("%s: %s", call, strerror(errno));
    exit(1);
  }
  return result;
}

/* A transfer that must move all that it was asked for. */
#define WHOLE(call, bytes) whole((long)(call), bytes, #call)
static void whole(long result, long bytes, const char *call) {
  if (result != bytes) {
    complain("%s: %ld instead of %ld (%s)", call, result, bytes, strerror(errno));
    exit(1);
  }
}

static uint32_t random_state = 1;
static uint32_t next_random(void) { return (random_state = random_state * 1664525u + 1013904223u) >> 8; }

static void path_of(char *path, const char *name) { snprintf(path, 256, "%s/%s", base, name); }
static void numbered(char *path, const char *stem, long index) { snprintf(path, 256, "%s/%s%ld", base, stem, index); }

static char *buffer; /* one piece */
static int file = -1;
static long next_piece;
static volatile long consumed;

static void open_file(const char *name, long bytes) {
  char path[256];
  path_of(path, name);
  file = MUST(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));
  for (long done = 0; done < bytes; done += PIECE_BYTES) {
    long part = bytes - done < PIECE_BYTES ? bytes - done : PIECE_BYTES;
    WHOLE(write(file, buffer, part), part);
  }
  next_piece = 0;
}

static void close_file(const char *name) {
  char path[256];
  path_of(path, name);
  MUST(close(file));
  MUST(unlink(path));
}

static void create_one(const char *path, long bytes) {
  int fd = MUST(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644));
  if (bytes > 0) WHOLE(write(fd, buffer, bytes), bytes);
  MUST(close(fd));
}

static void create_files(long count) {
  char path[256];
  for (long index = 0; index < count; index++) {
    numbered(path, "file", index);
    create_one(path, PAGE_BYTES);
  }
}

static void unlink_files(long count) {
  char path[256];
  for (long index = 0; index < count; index++) {
    numbered(path, "file", index);
    MUST(unlink(path));
  }
}

/* 250,000 times 16 bytes: seek and read. */
static void small_prepare(void) { open_file("small", SMALL_FILE_BYTES); }
static void small_run(long count) {
  for (long index = 0; index < count; index++) {
    MUST(lseek(file, next_random() % (SMALL_FILE_BYTES - SMALL_BYTES), SEEK_SET));
    WHOLE(read(file, buffer, SMALL_BYTES), SMALL_BYTES);
  }
}
static void small_finish(void) { close_file("small"); }

/* 4 KiB, hot. */
static void page_prepare(void) { open_file("page", PAGE_BYTES); }
static void pread_run(long count) {
  for (long index = 0; index < count; index++) WHOLE(pread(file, buffer, PAGE_BYTES, 0), PAGE_BYTES);
}
static void pwrite_run(long count) {
  for (long index = 0; index < count; index++) WHOLE(pwrite(file, buffer, PAGE_BYTES, 0), PAGE_BYTES);
}
static void page_finish(void) { close_file("page"); }

static void open_run(long count) {
  char path[256];
  path_of(path, "page");
  for (long index = 0; index < count; index++) MUST(close(MUST(open(path, O_RDONLY))));
}
static void stat_run(long count) {
  char path[256];
  struct stat status;
  path_of(path, "page");
  for (long index = 0; index < count; index++) {
    MUST(stat(path, &status));
    consumed += status.st_size;
  }
}

static void list_prepare(void) {
  char path[256];
  path_of(path, "listed");
  MUST(mkdir(path, 0755));
  for (long index = 0; index < LISTED_COUNT; index++) {
    numbered(path, "listed/file", index);
    create_one(path, 0);
  }
}
static void list_run(long count) {
  char path[256];
  path_of(path, "listed");
  for (long index = 0; index < count; index++) {
    DIR *directory = opendir(path);
    if (directory == NULL) must(-1, "opendir");
    long entries = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) entries += entry->d_name[0] != '.';
    MUST(closedir(directory));
    WHOLE(entries, LISTED_COUNT);
  }
}
static void list_finish(void) {
  char path[256];
  for (long index = 0; index < LISTED_COUNT; index++) {
    numbered(path, "listed/file", index);
    MUST(unlink(path));
  }
  path_of(path, "listed");
  MUST(rmdir(path));
}

static void rename_run(long count) {
  char path[256], target[256];
  for (long index = 0; index < count; index++) {
    numbered(path, "file", index);
    numbered(target, "other", index);
    MUST(rename(path, target));
  }
}
static void rename_after(long count) {
  char path[256];
  for (long index = 0; index < count; index++) {
    numbered(path, "other", index);
    MUST(unlink(path));
  }
}

/* 256 MiB in pieces of 64 KiB, warm; an operation is a piece. */
static void long_prepare(void) { open_file("long", (long)PIECE_COUNT * PIECE_BYTES); }
static void long_before(long count) {
  (void)count;
  MUST(lseek(file, 0, SEEK_SET));
}
static void long_read_run(long count) {
  for (long index = 0; index < count; index++) WHOLE(read(file, buffer, PIECE_BYTES), PIECE_BYTES);
}
static void long_write_run(long count) {
  for (long index = 0; index < count; index++) WHOLE(write(file, buffer, PIECE_BYTES), PIECE_BYTES);
}
static void long_finish(void) { close_file("long"); }

/* The bare copy of the same bytes, which the compiler may not see through. */
static char *region;
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static void region_prepare(void) {
  region = malloc((size_t)PIECE_COUNT * PIECE_BYTES);
  if (region == NULL) must(-1, "malloc");
  memset(region, 1, (size_t)PIECE_COUNT * PIECE_BYTES);
}
static void copy_page_run(long count) {
  for (long index = 0; index < count; index++) copy(buffer, region, PAGE_BYTES);
}
static void copy_out_run(long count) {
  for (long index = 0; index < count; index++) copy(buffer, region + index * PIECE_BYTES, PIECE_BYTES);
}
static void copy_in_run(long count) {
  for (long index = 0; index < count; index++) copy(region + index * PIECE_BYTES, buffer, PIECE_BYTES);
}
static void region_finish(void) { free(region); }

/* One thread against two: the same number of operations by each. */
struct agent {
  pthread_t thread;
  int number;
  long count;
};
static void (*agent_run)(int number, long count);
static atomic_int agents_ready, gate_open;

static void *agent_main(void *argument) {
  struct agent *agent = argument;
  atomic_fetch_add(&agents_ready, 1);
  while (!atomic_load(&gate_open)) {
  }
  agent_run(agent->number, agent->count);
  return NULL;
}

/* Nanoseconds from the opening of the gate to the end of the last thread. */
static double agents_time(int threads, long count) {
  struct agent agents[2];
  atomic_store(&agents_ready, 0);
  atomic_store(&gate_open, 0);
  for (int index = 0; index < threads; index++) {
    agents[index] = (struct agent){.number = index, .count = count};
    if (pthread_create(&agents[index].thread, NULL, agent_main, &agents[index]) != 0) must(-1, "pthread_create");
  }
  while (atomic_load(&agents_ready) < threads) {
  }
  double start = now_ns();
  atomic_store(&gate_open, 1);
  for (int index = 0; index < threads; index++) pthread_join(agents[index].thread, NULL);
  return now_ns() - start;
}

static void agent_compute(int number, long count) {
  uint32_t value = number;
  for (long index = 0; index < count * 100; index++) value = value * 1664525u + 1013904223u;
  consumed += value;
}
static void agent_read(int number, long count) {
  char path[256], page[PAGE_BYTES];
  path_of(path, "page");
  (void)number;
  int fd = MUST(open(path, O_RDONLY));
  for (long index = 0; index < count; index++) WHOLE(pread(fd, page, PAGE_BYTES, 0), PAGE_BYTES);
  MUST(close(fd));
}
static void agent_write(int number, long count) {
  char path[256], page[PAGE_BYTES] = {0};
  numbered(path, "written", number);
  int fd = MUST(open(path, O_RDWR | O_CREAT, 0644));
  for (long index = 0; index < count; index++) WHOLE(pwrite(fd, page, PAGE_BYTES, 0), PAGE_BYTES);
  MUST(close(fd));
}
static void write_finish(void) {
  char path[256];
  for (int number = 0; number < 2; number++) {
    numbered(path, "written", number);
    MUST(unlink(path));
  }
}
static void agent_create(int number, long count) {
  char path[256];
  for (long index = 0; index < count; index++) {
    snprintf(path, sizeof path, "%s/agent%d/file%ld", base, number, index);
    create_one(path, PAGE_BYTES);
  }
}
static void create_prepare(void) {
  char path[256];
  for (int number = 0; number < 2; number++) {
    numbered(path, "agent", number);
    MUST(mkdir(path, 0755));
  }
}
static void create_after(int threads, long count) {
  char path[256];
  for (int number = 0; number < threads; number++) {
    for (long index = 0; index < count; index++) {
      snprintf(path, sizeof path, "%s/agent%d/file%ld", base, number, index);
      MUST(unlink(path));
    }
  }
}
static void create_finish(void) {
  char path[256];
  for (int number = 0; number < 2; number++) {
    numbered(path, "agent", number);
    MUST(rmdir(path));
  }
}

struct workload {
  const char *name;
  long count_min, count_max;
  void (*prepare)(void), (*before)(long), (*run)(long), (*after)(long), (*finish)(void);
};

static const struct workload WORKLOADS[] = {
    {"small_read", 64, 250000, small_prepare, NULL, small_run, NULL, small_finish},
    {"pread_4k", 64, 1000000, page_prepare, NULL, pread_run, NULL, page_finish},
    {"pwrite_4k", 64, 1000000, page_prepare, NULL, pwrite_run, NULL, page_finish},
    {"open_close", 16, 1000000, page_prepare, NULL, open_run, NULL, page_finish},
    {"stat", 16, 1000000, page_prepare, NULL, stat_run, NULL, page_finish},
    {"readdir_1000", 1, 10000, list_prepare, NULL, list_run, NULL, list_finish},
    {"create_4k", 16, FILES_MAX, NULL, NULL, create_files, unlink_files, NULL},
    {"unlink", 16, FILES_MAX, NULL, create_files, unlink_files, NULL, NULL},
    {"rename", 16, FILES_MAX, NULL, create_files, rename_run, rename_after, NULL},
    {"read_64k", PIECE_COUNT, PIECE_COUNT, long_prepare, long_before, long_read_run, NULL, long_finish},
    {"write_64k", PIECE_COUNT, PIECE_COUNT, long_prepare, long_before, long_write_run, NULL, long_finish},
    {"copy_4k", 64, 1000000, region_prepare, NULL, copy_page_run, NULL, region_finish},
    {"copy_out_64k", PIECE_COUNT, PIECE_COUNT, region_prepare, NULL, copy_out_run, NULL, region_finish},
    {"copy_in_64k", PIECE_COUNT, PIECE_COUNT, region_prepare, NULL, copy_in_run, NULL, region_finish},
};

struct pairing {
  const char *name;
  long count_min, count_max;
  void (*prepare)(void);
  void (*run)(int, long);
  void (*after)(int, long);
  void (*finish)(void);
};

static const struct pairing PAIRINGS[] = {
    {"two_compute", 64, 100000000, NULL, agent_compute, NULL, NULL},
    {"two_read", 64, 1000000, page_prepare, agent_read, NULL, page_finish},
    {"two_write", 64, 1000000, NULL, agent_write, NULL, write_finish},
    {"two_create", 16, FILES_MAX, create_prepare, agent_create, create_after, create_finish},
};

static int ascending(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return left < right ? -1 : left > right;
}

static void report_values(const char *name, const char *suffix, double *values) {
  qsort(values, reps, sizeof *values, ascending);
  double median = reps % 2 ? values[reps / 2] : (values[reps / 2 - 1] + values[reps / 2]) / 2;
  report("%s%s\t%.1f\t%.1f\t%.1f", name, suffix, median, values[0], values[reps - 1]);
}

static double time_workload(const struct workload *work, long count) {
  if (work->before) work->before(count);
  double start = now_ns();
  work->run(count);
  double elapsed = now_ns() - start;
  if (work->after) work->after(count);
  return elapsed;
}

static double time_pairing(const struct pairing *pair, int threads, long count) {
  agent_run = pair->run;
  double elapsed = agents_time(threads, count);
  if (pair->after) pair->after(threads, count);
  return elapsed;
}

/* The number of operations that takes as long as a round should, found by trying: this warms, too. */
#define CALIBRATE(count, minimum, maximum, timed)                          \
  long count = minimum;                                                    \
  for (double elapsed; (elapsed = timed) < round_ms * 1e6;) {              \
    if (count == (maximum)) break;                                         \
    double factor = round_ms * 1.1e6 / (elapsed + 1);                      \
    long next = factor > 8 ? count * 8 : (long)(count * factor) + 1;       \
    count = next < (maximum) ? next : (maximum);                           \
  }

static void measure(const struct workload *work) {
  double values[REPS_MAX];
  if (work->prepare) work->prepare();
  CALIBRATE(count, work->count_min, work->count_max, time_workload(work, count))
  for (int rep = 0; rep < reps; rep++) values[rep] = time_workload(work, count) / count;
  if (work->finish) work->finish();
  report_values(work->name, "", values);
}

static void measure_pairing(const struct pairing *pair) {
  double one[REPS_MAX], two[REPS_MAX];
  if (pair->prepare) pair->prepare();
  CALIBRATE(count, pair->count_min, pair->count_max, time_pairing(pair, 1, count))
  time_pairing(pair, 2, count);
  for (int rep = 0; rep < reps; rep++) {
    one[rep] = time_pairing(pair, 1, count) / count;
    two[rep] = time_pairing(pair, 2, count) / (2.0 * count);
  }
  if (pair->finish) pair->finish();
  report_values(pair->name, ".one", one);
  report_values(pair->name, ".two", two);
}

int main(int argc, char **argv) {
  if (bench_mount) base = bench_mount();
  int first = 1;
  for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++) {
    if (sscanf(argv[first], "--ms=%lf", &round_ms) == 1 && round_ms > 0) continue;
    if (sscanf(argv[first], "--reps=%d", &reps) == 1 && reps > 0 && reps <= REPS_MAX) continue;
    if (strncmp(argv[first], "--directory=", 12) == 0) {
      base = argv[first] + 12;
      continue;
    }
    complain("workloads: cannot read the argument '%s'", argv[first]);
    return 2;
  }
  if (mkdir(base, 0755) != 0 && errno != EEXIST) must(-1, "mkdir");
  buffer = malloc(PIECE_BYTES);
  memset(buffer, 0x5a, PIECE_BYTES);
  for (int index = first; index < argc; index++) {
    int known = 0;
    for (size_t at = 0; at < sizeof WORKLOADS / sizeof *WORKLOADS; at++) {
      if (strcmp(argv[index], WORKLOADS[at].name) != 0) continue;
      measure(&WORKLOADS[at]);
      known = 1;
    }
    for (size_t at = 0; at < sizeof PAIRINGS / sizeof *PAIRINGS; at++) {
      if (strcmp(argv[index], PAIRINGS[at].name) != 0) continue;
      measure_pairing(&PAIRINGS[at]);
      known = 1;
    }
    if (!known) {
      complain("workloads: there is no workload '%s'", argv[index]);
      return 2;
    }
  }
  return 0;
}
