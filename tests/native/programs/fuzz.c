// Threads that do seeded random operations and check every result.
//
// Each has a directory of its own, whose contents it knows: all that it does there is compared with a model in its
// heap. In a directory that all share they do what has an invariant whoever comes first: records appended, files
// created exclusively, files taken by renaming them, a file replaced while others read it, a counter under flock.
//
// Arguments: seed, threads, steps of each, names of operations to leave out, separated by commas. Exit code 1 with the
// seed and the step when something is wrong.
#include "fuzz.h"
#include "finish.h"
#include <pthread.h>
#include <stdarg.h>

static unsigned seed;
static int step_count;
static const char *without = "";
static Thread *threads[MAX_THREADS];
static atomic_int gate, finished;
int thread_count;
atomic_int failures;

uint32_t below(Thread *t, uint32_t bound) {
  uint32_t z = t->state += 0x6d2b79f5u;
  z = (z ^ (z >> 15)) * (z | 1);
  z ^= z + (z ^ (z >> 7)) * (z | 61);
  return (z ^ (z >> 14)) % bound;
}

void fail(Thread *t, const char *format, ...) {
  int error = errno;
  if (atomic_fetch_add(&failures, 1) > 4) return;
  char text[400];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  printf("seed %u, thread %d of %d, step %d: %s (errno %d: %s)\n", seed, t == NULL ? -1 : t->index, thread_count,
         t == NULL ? -1 : t->step, text, error, strerror(error));
}

void path_of(char *path, Thread *t, int name) { sprintf(path, "own%d/f%d", t->index, name); }

static int is_left_out(const char *name) {
  size_t length = strlen(name);
  for (const char *at = without; (at = strstr(at, name)) != NULL; at += length) {
    if ((at == without || at[-1] == ',') && (at[length] == '\0' || at[length] == ',')) return 1;
  }
  return 0;
}

static void step(Thread *t) {
  int total = 0;
  for (const Operation *each = operations; each->name != NULL; each++) total += each->weight;
  int choice = below(t, total);
  const Operation *chosen = operations;
  while (choice >= chosen->weight) choice -= (chosen++)->weight;
  t->doing = chosen->name;
  if (!is_left_out(t->doing)) chosen->run(t);
}

// Everything of a thread's own once more, in one go.
static void verify(Thread *t) {
  for (int i = 0; i < NAMES; i++) {
    if (t->names[i] == NULL) continue;
    char path[32];
    path_of(path, t, i);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, t->buffer, MAX_SIZE);
    CHECK(t, n == t->names[i]->size && memcmp(t->buffer, t->names[i]->data, n) == 0, "%s is wrong at the end", path);
    if (fd >= 0) close(fd);
  }
}

static void *work(void *argument) {
  Thread *t = (Thread *)argument;
  atomic_fetch_add(&gate, 1);
  while (atomic_load(&gate) < thread_count) usleep(100);
  for (t->step = 0; t->step < step_count && atomic_load(&failures) == 0; t->step++) step(t);
  t->doing = "verify";
  verify(t);
  for (int i = 0; i < DESCRIPTORS; i++) {
    if (t->open[i].node != NULL) close(t->open[i].fd);
  }
  atomic_fetch_add(&finished, 1);
  return NULL;
}

// Waits for all, and says where they are when nobody gets on any more.
static void await_threads(void) {
  long last = -1;
  for (int idle = 0; atomic_load(&finished) < thread_count; idle++) {
    long sum = atomic_load(&finished);
    for (int i = 0; i < thread_count; i++) sum += threads[i]->step;
    if (sum != last) idle = 0;
    last = sum;
    if (idle == 500) {
      for (int i = 0; i < thread_count; i++) fail(threads[i], "hangs in %s", threads[i]->doing);
      finish_output();
      exit(1);
    }
    usleep(20000);
  }
}

static void write_file(const char *path, const void *bytes, int count) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  CHECK(NULL, fd >= 0 && write(fd, bytes, count) == count, "cannot prepare %s", path);
  if (fd >= 0) close(fd);
}

static void check_log(void) {
  int next[MAX_THREADS] = {0};
  FILE *log = fopen("shared/log", "r");
  char line[512];
  while (log != NULL && fgets(line, sizeof line, log) != NULL) {
    int index, number, body, head = 0;
    if (sscanf(line, "<%2d %6d %3d %n", &index, &number, &body, &head) < 3 || head == 0 || index >= thread_count ||
        (int)strlen(line) != head + body + 2 || strcmp(line + head + body, ">\n") != 0) {
      fail(NULL, "a record is torn: %.60s", line);
      break;
    }
    for (int i = 0; i < body; i++) {
      if (line[head + i] != 'a' + number % 26) {
        fail(NULL, "record %d of thread %d is mixed", number, index);
        break;
      }
    }
    CHECK(NULL, number == next[index], "thread %d: record %d follows %d", index, number, next[index] - 1);
    next[index] = number + 1;
  }
  if (log != NULL) fclose(log);
  for (int i = 0; i < thread_count; i++) {
    CHECK(NULL, next[i] == threads[i]->records, "thread %d wrote %d records, %d are there", i, threads[i]->records,
          next[i]);
  }
}

int main(int argc, char **argv) {
  seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
  thread_count = argc > 2 ? atoi(argv[2]) : 4;
  step_count = argc > 3 ? atoi(argv[3]) : 1000;
  if (argc > 4) without = argv[4];
  if (thread_count > MAX_THREADS) return 2;
#ifdef __EMSCRIPTEN__
  mkdir("/fuzz", 0755);
  if (chdir("/fuzz") < 0) return 3;
#endif
  mkdir("shared", 0755);
  char text[PUBLISHED_BYTES];
  for (int i = 0; i < TOKENS; i++) {
    char path[32];
    sprintf(path, "shared/token%d", i);
    write_file(path, text, sprintf(text, "token %d", i));
  }
  memset(text, 'a', sizeof text);
  write_file("shared/published", text, sizeof text);
  int zero = 0;
  write_file("shared/counter", &zero, sizeof zero);
  pthread_t handles[MAX_THREADS];
  for (int i = 0; i < thread_count; i++) {
    threads[i] = (Thread *)calloc(1, sizeof(Thread));
    threads[i]->index = i;
    threads[i]->doing = "nothing";
    threads[i]->state = seed * 31u + i * 7919u;
    sprintf(text, "own%d", i);
    CHECK(NULL, mkdir(text, 0755) == 0, "cannot make %s", text);
  }
  for (int i = 0; i < thread_count; i++) {
    if (pthread_create(&handles[i], NULL, work, threads[i]) != 0) return 3;
  }
  await_threads();
  for (int i = 0; i < thread_count; i++) pthread_join(handles[i], NULL);
  check_log();
  int counted = 0, value = 0, records = 0;
  for (int i = 0; i < thread_count; i++) {
    counted += threads[i]->counted;
    records += threads[i]->records;
  }
  FILE *counter = fopen("shared/counter", "r");
  CHECK(NULL, counter != NULL && fread(&value, sizeof value, 1, counter) == 1 && value == counted,
        "the counter is %d after %d", value, counted);
  if (counter != NULL) fclose(counter);
  for (int i = 0; i < ROUNDS; i++) {
    CHECK(NULL, atomic_load(&winners[i]) == (atomic_load(&attempts[i]) > 0), "x%d: %d attempts, %d winners", i,
          atomic_load(&attempts[i]), atomic_load(&winners[i]));
  }
  for (int i = 0; i < TOKENS; i++) {
    char path[32];
    struct stat st;
    sprintf(path, "shared/token%d", i);
    CHECK(NULL, stat(path, &st) == 0, "%s is lost", path);
  }
  int failed = atomic_load(&failures);
  printf("%d threads, %d steps each, %d records, %d counted: %s\n", thread_count, step_count, records, counted,
         failed ? "failed" : "ok");
  finish_output();
  return failed ? 1 : 0;
}
