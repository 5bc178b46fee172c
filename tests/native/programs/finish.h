// The end of a program's output.
//
// What a thread of Emscripten prints travels as messages to the worker that loaded the program, and exit() overtakes
// and drops them. So the last line is waited for.
#ifndef FINISH_H
#define FINISH_H

#include <stdio.h>

#ifdef __EMSCRIPTEN_PTHREADS__
#include <emscripten.h>
#include <emscripten/threading.h>
#endif

static inline void finish_output(void) {
  printf("# end\n");
  fflush(stdout);
#ifdef __EMSCRIPTEN_PTHREADS__
  if (emscripten_is_main_runtime_thread()) return;
  for (int i = 0; i < 5000 && !MAIN_THREAD_EM_ASM_INT({ return Module['sawEnd'] ? 1 : 0; }); i++) {
    emscripten_thread_sleep(1);
  }
#endif
}
#endif
