// What the programs of this folder check with. `other` is what somebody else does to the pool, behind WasmFS's back.

#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fail(__LINE__, #condition);                                                                                      \
    }                                                                                                                  \
  } while (0)

// Checks that a call fails with an error number.
#define FAILS(call, number)                                                                                            \
  do {                                                                                                                 \
    errno = 0;                                                                                                         \
    CHECK((call) == -1);                                                                                               \
    CHECK(errno == (number));                                                                                          \
  } while (0)

void fail(int line, const char *condition);

// Prints what failed, in whatever thread. Returns the exit code. For the main thread: what others print at the end is lost.
int finish(void);

// Runs JavaScript with `fs` (this thread's agent), `calls` (what the backend calls) and `at`, the pool's name of a path of the
// program. Returns its result as a number.
double other(const char *code);

// A path below the folder of the test; good until the eighth one from then.
const char *at(const char *name);

// Where the folder of the test is: in the program, and in the pool.
extern const char *base;
extern const char *poolBase;
