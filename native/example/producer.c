/* The producer: four threads that write jobs into /queue. Nothing in here knows of ExtMemFS: it is linked with it.
 *
 *     producer JOBS_PER_THREAD */
#include <pthread.h>

#include "jobs.h"

#define THREADS 4

static int journal;
static int jobs_per_thread;
static long long bytes_written[THREADS];

/* A job is a text. It is written under a name of its own first, and then moved into /queue: who looks into the queue
 * sees whole jobs only. */
static long write_job(int thread, int number) {
  char temporary[PATH_BYTES], queued[PATH_BYTES];
  snprintf(temporary, sizeof temporary, "/new/job-%d-%d", thread, number);
  snprintf(queued, sizeof queued, "/queue/job-%d-%d", thread, number);

  FILE *job = fopen(temporary, "w");
  if (job == NULL) fail("cannot create", temporary);
  for (int line = 0; line <= number % 200; line++) fprintf(job, "line %d of job %d-%d\n", line, thread, number);
  long bytes = ftell(job);
  if (fclose(job) != 0) fail("cannot write", temporary);

  /* Noted before anybody can take it. */
  note(journal, "produced job-%d-%d %ld\n", thread, number, bytes);
  if (rename(temporary, queued) != 0) fail("cannot queue", temporary);
  return bytes;
}

static void *produce(void *argument) {
  int thread = (int)(size_t)argument;
  for (int number = 0; number < jobs_per_thread; number++) bytes_written[thread] += write_job(thread, number);
  return NULL;
}

int main(int argc, char **argv) {
  jobs_per_thread = argc > 1 ? atoi(argv[1]) : 10;
  journal = open_journal();
  double start = seconds();

  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, produce, (void *)i);
  long long bytes = 0;
  for (size_t i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    bytes += bytes_written[i];
  }

  /* Tells the consumer that nothing more comes. */
  int done = open("/produced", O_WRONLY | O_CREAT, 0644);
  if (done < 0 || close(done) != 0) fail("cannot create", "/produced");
  printf("%d threads wrote %d jobs, %lld bytes, in %.2f s\n", THREADS, THREADS * jobs_per_thread, bytes,
         seconds() - start);
  return 0;
}
