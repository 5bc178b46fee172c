// What the conformance programs are made of: cases that print one line a step.
//
// A program is a file with `CASE(name) { ... }` functions and one `PROGRAM(name, ...)` table at its end. Every case
// starts in an empty directory of its own. A step prints the call as it is written here and what it returned: the
// number, or the name of the error. Nothing printed may differ from run to run.
#ifndef STEPS_H
#define STEPS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const char *name;
  void (*run)(void);
} Case;

typedef struct {
  const char *name;
  const Case *cases;
} Program;

#define CASE(name) static void case_##name(void)
#define C(name) {#name, case_##name}
#define PROGRAM(name, ...) const Case program_##name[] = {__VA_ARGS__, {NULL, NULL}};

// Prints the call and its result, which it also returns.
#define CALL(call) step_number(#call, (errno = 0, (long long)(call)))
// As CALL, but prints only whether the result is an error: for descriptors and whatever else may be any number.
#define TRY(call) step_success(#call, (errno = 0, (long long)(call)))
// As TRY, and closes the descriptor again.
#define OPEN(call) step_open(#call, (errno = 0, (long long)(call)))
// Prints a pointer's presence, or the error.
#define POINTER(call) step_pointer(#call, (errno = 0, (void *)(call)))
// Prints whether something holds.
#define HOLDS(condition) step_holds(#condition, (condition) != 0)
// Prints a text, with everything but plain ASCII escaped.
#define TEXT(label, text) step_string(label, text)
// Prints bytes; runs of more than eight equal ones are abbreviated.
#define BYTES(label, bytes, count) step_text(label, (const char *)(bytes), (size_t)(count))

long long step_number(const char *call, long long result);
long long step_success(const char *call, long long result);
void step_open(const char *call, long long result);
void *step_pointer(const char *call, void *result);
void step_holds(const char *condition, int holds);
void step_string(const char *label, const char *text);
void step_text(const char *label, const char *text, size_t count);
// Prints a line of its own form.
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// The name of an error number.
const char *error_name(int number);
// "file 644 size 5 links 1", or the error; without following symbolic links.
void show(const char *path);
// The contents of a file.
void cat(const char *path);
// The entries of a directory by name, with their types.
void list(const char *path);
// Makes a file with some contents.
void put(const char *path, const char *contents);
// Where the program was started: a directory that only it uses.
const char *base_directory(void);
// The directory of the preloaded ("preloaded") and embedded ("embedded") files.
const char *files_directory(const char *name);

#ifdef __cplusplus
}
#endif
#endif
