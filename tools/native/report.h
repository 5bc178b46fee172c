/*
 * Lines that a program prints before it ends, whatever filesystem it has. A pthread's lines reach the main thread by
 * messages, which the end of the program may overtake; these are printed there before the call returns.
 */
#pragma once
#include <stdarg.h>
#include <stdio.h>
#ifdef __EMSCRIPTEN__
#include <emscripten.h>
#endif

enum { REPORT_BYTES = 1024 };

static inline void report_line(int is_error, const char *line) {
#ifdef __EMSCRIPTEN__
  MAIN_THREAD_EM_ASM({ ($0 ? err : out)(UTF8ToString($1)); }, is_error, line);
#else
  fprintf(is_error ? stderr : stdout, "%s\n", line);
#endif
}

/* Prints a line, given without its end. */
__attribute__((format(printf, 1, 2))) static inline void report(const char *format, ...) {
  char line[REPORT_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  report_line(0, line);
}

/* Prints a line to the standard error, given without its end. */
__attribute__((format(printf, 1, 2))) static inline void complain(const char *format, ...) {
  char line[REPORT_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  report_line(1, line);
}
