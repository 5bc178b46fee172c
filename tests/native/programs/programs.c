// The conformance programs that are linked into one.
#include "steps.h"

#ifdef WITH_FLOCK
#define FLOCK(X) X(flock)
#else
#define FLOCK(X)
#endif

#define EACH(X)                                                                                                   \
  X(open) X(read_write) X(descriptors) X(metadata) X(permissions) X(directories) X(names) X(stdio) X(mapping) X(locks) \
  X(devices) X(large) FLOCK(X)

#define DECLARE(name) extern const Case program_##name[];
EACH(DECLARE)

#define ROW(name) {#name, program_##name},
const Program programs[] = {EACH(ROW){NULL, NULL}};
