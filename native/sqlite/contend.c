/*
 * Threads, and programs, that write to one database at the same time: each transaction reads a counter and stores the
 * next number, so that one that is not alone loses a count.
 *
 *     contend [--directory=PATH] [--agents=N] [--count=N] [--journal=MODE]
 *
 * prints, by tabs, "count", the transactions that this program made, the counter and the rows at its end, and what
 * PRAGMA integrity_check says. A build may define bench_mount() as for speedtest.c.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report.h"
#include "sqlite3.h"

enum { AGENTS_MAX = 8, TEXT_BYTES = 256, BUSY_MS = 60000 };

static char path[TEXT_BYTES];
static char journal[32] = "delete";
static int agent_count = 2, transaction_count = 100;

const char *bench_mount(void) __attribute__((weak));

static void run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK) return;
  complain("%s: %s (%d)", sql, message, sqlite3_extended_errcode(db));
  exit(1);
}

static sqlite3 *open_database(void) {
  sqlite3 *db = NULL;
  if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) {
    complain("%s: %s", path, sqlite3_errmsg(db));
    exit(1);
  }
  sqlite3_busy_timeout(db, BUSY_MS);
  char sql[TEXT_BYTES];
  snprintf(sql, sizeof sql, "PRAGMA journal_mode=%s", journal);
  run(db, sql);
  return db;
}

static void *agent_main(void *argument) {
  (void)argument;
  sqlite3 *db = open_database();
  for (int index = 0; index < transaction_count; index++) {
    run(db, "BEGIN IMMEDIATE");
    run(db, "INSERT INTO entry(number) SELECT value + 1 FROM counter");
    run(db, "UPDATE counter SET value = value + 1");
    run(db, "COMMIT");
  }
  sqlite3_close(db);
  return NULL;
}

static int keep_first(void *kept, int columns, char **values, char **names) {
  (void)names;
  if (columns > 0 && *(char *)kept == '\0') snprintf(kept, TEXT_BYTES, "%s", values[0] ? values[0] : "null");
  return 0;
}

static void ask(sqlite3 *db, const char *sql, char *answer) {
  answer[0] = '\0';
  if (sqlite3_exec(db, sql, keep_first, answer, NULL) != SQLITE_OK) snprintf(answer, TEXT_BYTES, "%s", sqlite3_errmsg(db));
}

int main(int argc, char **argv) {
  const char *directory = bench_mount ? bench_mount() : "/sqlite";
  for (int index = 1; index < argc; index++) {
    if (strncmp(argv[index], "--directory=", 12) == 0) directory = argv[index] + 12;
    else if (sscanf(argv[index], "--agents=%d", &agent_count) == 1 && agent_count <= AGENTS_MAX) continue;
    else if (sscanf(argv[index], "--count=%d", &transaction_count) == 1) continue;
    else if (sscanf(argv[index], "--journal=%31[a-z]", journal) == 1) continue;
    else {
      complain("contend: cannot read the argument '%s'", argv[index]);
      return 2;
    }
  }
  if (mkdir(directory, 0755) != 0 && errno != EEXIST) {
    complain("mkdir %s: %s", directory, strerror(errno));
    return 1;
  }
  snprintf(path, sizeof path, "%s/contend.db", directory);
  sqlite3 *db = open_database();
  run(db, "BEGIN IMMEDIATE");
  run(db, "CREATE TABLE IF NOT EXISTS counter(value INTEGER)");
  run(db, "CREATE TABLE IF NOT EXISTS entry(number INTEGER PRIMARY KEY)");
  run(db, "INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counter)");
  run(db, "COMMIT");
  pthread_t threads[AGENTS_MAX];
  for (int index = 0; index < agent_count; index++) {
    if (pthread_create(&threads[index], NULL, agent_main, NULL) != 0) {
      complain("pthread_create failed");
      return 1;
    }
  }
  for (int index = 0; index < agent_count; index++) pthread_join(threads[index], NULL);
  char counter[TEXT_BYTES], rows[TEXT_BYTES], integrity[TEXT_BYTES];
  ask(db, "SELECT value FROM counter", counter);
  ask(db, "SELECT count(*) FROM entry", rows);
  ask(db, "PRAGMA integrity_check", integrity);
  sqlite3_close(db);
  report("count\t%d\t%s\t%s\t%s", agent_count * transaction_count, counter, rows, integrity);
  return strcmp(integrity, "ok") != 0;
}
