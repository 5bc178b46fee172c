/*
 * SQLite's speedtest1, in one thread or in several, each with a database of its own.
 *
 *     speedtest [--directory=PATH] [--agents=N] [OPTION OF SPEEDTEST1...]
 *
 * prints what speedtest1 prints (with several threads, each line after the thread's number), then, by tabs, "agent", its
 * number, its seconds and what PRAGMA integrity_check of the main thread says of its database, and "wall" and the
 * seconds of all. A build may define bench_mount() to mount a filesystem of its own and return the directory to work in.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

enum { AGENTS_MAX = 8, ARGUMENTS_MAX = 64, PATH_BYTES = 256 };

static int agent_count = 1;
static _Thread_local int agent_number;
static _Thread_local char line[512];
static _Thread_local size_t line_bytes;

/* Prints whole lines only, so that threads do not print into each other's. */
static int print_line(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int bytes = vsnprintf(line + line_bytes, sizeof line - line_bytes, format, arguments);
  va_end(arguments);
  line_bytes = strlen(line);
  char *end = strrchr(line, '\n');
  if (end == NULL && line_bytes < sizeof line - 1) return bytes;
  if (end != NULL) *end = '\0';
  if (agent_count == 1) report("%s", line);
  else report("[%d] %s", agent_number, line);
  line_bytes = 0;
  line[0] = '\0';
  return bytes;
}

#define main speedtest1_main
#define printf print_line
#include "speedtest1.c"
#undef printf
#undef main

struct agent {
  pthread_t thread;
  int number;
  int argc;
  char *argv[ARGUMENTS_MAX];
  char path[PATH_BYTES];
  double seconds;
  int code;
};

const char *bench_mount(void) __attribute__((weak));

static double now_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void *agent_main(void *argument) {
  struct agent *agent = argument;
  agent_number = agent->number;
  double start = now_seconds();
  agent->code = speedtest1_main(agent->argc, agent->argv);
  agent->seconds = now_seconds() - start;
  return NULL;
}

static int keep_first(void *kept, int columns, char **values, char **names) {
  (void)names;
  if (columns > 0 && *(char *)kept == '\0') snprintf(kept, PATH_BYTES, "%s", values[0] ? values[0] : "null");
  return 0;
}

/* What PRAGMA integrity_check says, or why it cannot be asked. */
static void check(const char *path, char *answer) {
  sqlite3 *db = NULL;
  answer[0] = '\0';
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
      sqlite3_exec(db, "PRAGMA integrity_check", keep_first, answer, NULL) != SQLITE_OK) {
    snprintf(answer, PATH_BYTES, "%s: %s", path, sqlite3_errmsg(db));
  }
  sqlite3_close(db);
}

int main(int argc, char **argv) {
  static struct agent agents[AGENTS_MAX];
  const char *directory = bench_mount ? bench_mount() : "/sqlite";
  int first = 1;
  for (; first < argc; first++) {
    if (strncmp(argv[first], "--directory=", 12) == 0) directory = argv[first] + 12;
    else if (sscanf(argv[first], "--agents=%d", &agent_count) != 1) break;
  }
  if (agent_count < 1 || agent_count > AGENTS_MAX || argc - first > ARGUMENTS_MAX - 3) {
    complain("speedtest: 1 to %d agents, at most %d options", AGENTS_MAX, ARGUMENTS_MAX - 3);
    return 2;
  }
  if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
    complain("mkdir %s: %s", directory, strerror(errno));
    return 1;
  }
  sqlite3_initialize();
  double start = now_seconds();
  for (int number = 0; number < agent_count; number++) {
    struct agent *agent = &agents[number];
    agent->number = number;
    agent->argv[agent->argc++] = argv[0];
    for (int index = first; index < argc; index++) agent->argv[agent->argc++] = argv[index];
    snprintf(agent->path, sizeof agent->path, "%s/speedtest%d.db", directory, number);
    agent->argv[agent->argc++] = agent->path;
  }
  if (agent_count == 1) {
    agent_main(&agents[0]);
  } else {
    for (int number = 0; number < agent_count; number++) {
      int failure = pthread_create(&agents[number].thread, NULL, agent_main, &agents[number]);
      if (failure != 0) {
        complain("pthread_create: %s", strerror(failure));
        return 1;
      }
    }
    for (int number = 0; number < agent_count; number++) pthread_join(agents[number].thread, NULL);
  }
  double wall = now_seconds() - start;
  int code = 0;
  for (int number = 0; number < agent_count; number++) {
    char answer[PATH_BYTES];
    check(agents[number].path, answer);
    report("agent\t%d\t%.3f\t%s", number, agents[number].seconds, answer);
    if (agents[number].code != 0 || strcmp(answer, "ok") != 0) code = 1;
  }
  report("wall\t%.3f", wall);
  return code;
}
