// What the two files of the fuzz program share: fuzz.c and fuzz_operations.c.
#ifndef FUZZ_H
#define FUZZ_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_THREADS = 16, NAMES = 6, DESCRIPTORS = 5, MAX_SIZE = 40000, MAX_WRITE = 9000 };
enum { ROUNDS = 2000, TOKENS = 4, PUBLISHED_BYTES = 3000 };

// The contents of a file; it lives while it has a name or is open.
typedef struct {
  unsigned char *data;
  int size;
  int uses;
} Node;

typedef struct {
  int fd;
  Node *node;
  int position;
  int append;
  int access;
} Descriptor;

typedef struct {
  int index;
  uint32_t state;
  // The main thread looks at these two while the others work.
  _Atomic int step;
  _Atomic(const char *) doing;
  Node *names[NAMES];
  Descriptor open[DESCRIPTORS];
  int subdirectory;
  int records;
  int counted;
  unsigned char buffer[MAX_SIZE + 16];
} Thread;

typedef struct {
  const char *name;
  int weight;
  void (*run)(Thread *t);
} Operation;

// All operations; the last has no name.
extern const Operation operations[];

extern int thread_count;
extern atomic_int failures, winners[ROUNDS], attempts[ROUNDS];

// A random number below a bound.
uint32_t below(Thread *t, uint32_t bound);
void fail(Thread *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The path of a file of a thread's own.
void path_of(char *path, Thread *t, int name);

#define CHECK(t, condition, ...) \
  do {                           \
    if (!(condition)) fail(t, __VA_ARGS__); \
  } while (0)

#endif
