#include "steps.h"

#include <emscripten.h>

static _Atomic int failures;
static char messages[16][200];

void fail(int line, const char *condition) {
  int number = errno;
  int at = failures++;
  if (at < 16) snprintf(messages[at], sizeof messages[0], "line %d: %s (errno %d)", line, condition, number);
}

int finish(void) {
  for (int i = 0; i < failures && i < 16; i++) printf("%s\n", messages[i]);
  return failures == 0 ? 0 : 1;
}

const char *base;
const char *poolBase;

EM_JS_DEPS(steps, "$EXTMEMFS,$UTF8ToString");

EM_JS(double, runOther, (const char *code, const char *folder), {
  return Number(
    new Function("fs", "calls", "at", UTF8ToString(code))(
      Module["extmemfs"], EXTMEMFS.wasmfs, (name) => UTF8ToString(folder) + "/" + name) ?? 0);
});

double other(const char *code) { return runOther(code, poolBase); }

const char *at(const char *name) {
  static _Thread_local char paths[8][512];
  static _Thread_local int next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", base, name);
  return path;
}
