/* What the producer and the consumer agree on: where things are in the tree, and one line in the journal. */
#ifndef JOBS_H
#define JOBS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAME_BYTES 64
#define PATH_BYTES 128

/* Ends the program with a message: the example checks everything it does. */
static inline void fail(const char *what, const char *path) {
  fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
  exit(1);
}

/* Appends a line to /journal. O_APPEND: each write goes to the end as a whole, whoever else appends at that moment. */
static inline void note(int journal, const char *format, ...) {
  char line[PATH_BYTES];
  va_list arguments;
  va_start(arguments, format);
  int bytes = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (write(journal, line, bytes) != bytes) fail("cannot append to", "/journal");
}

static inline int open_journal(void) {
  int journal = open("/journal", O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (journal < 0) fail("cannot open", "/journal");
  return journal;
}

static inline double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
