// What the programs of this folder check with. `other` is what somebody else does to the pool, behind WasmFS's back.

#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      printf("%s:%d: %s (errno %d, %s)\n", __FILE__, __LINE__, #condition, errno, strerror(errno));                    \
      failures++;                                                                                                      \
    }                                                                                                                  \
  } while (0)

// Checks that a call fails with an error number.
#define FAILS(call, number)                                                                                            \
  do {                                                                                                                 \
    errno = 0;                                                                                                         \
    CHECK((call) == -1);                                                                                               \
    CHECK(errno == (number));                                                                                          \
  } while (0)

extern _Atomic int failures;

// Runs JavaScript with `fs` (this thread's agent), `calls` (what the backend calls) and `at`, the pool's name of a path of the
// program. Returns its result as a number.
double other(const char *code);

// A path below the folder of the test; good until the eighth one from then.
const char *at(const char *name);

// Where the folder of the test is: in the program, and in the pool.
extern const char *base;
extern const char *poolBase;
