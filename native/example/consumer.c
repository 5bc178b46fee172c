/* The consumer: two threads that take jobs out of /queue, each job once, and write results into /results. */
#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <extmemfs.h>

#include "jobs.h"

#define THREADS 2

static int journal;
static struct {
  int jobs, lost;
  long long bytes;
} seen[THREADS];

/* Adds 1 to the number in /counter, which threads of this program and the JavaScript worker do at the same time. The lock
 * belongs to the open file, so each thread opens the file itself. */
static void count_one(void) {
  int counter = extmemfs_open("/counter", O_RDWR | O_CREAT, 0644);
  if (counter < 0 || extmemfs_flock(counter, LOCK_EX) != 0) fail("cannot lock", "/counter");
  char text[16] = "";
  if (extmemfs_pread(counter, text, sizeof text - 1, 0) < 0) fail("cannot read", "/counter");
  int bytes = snprintf(text, sizeof text, "%d", atoi(text) + 1);
  if (extmemfs_pwrite(counter, text, bytes, 0) != bytes) fail("cannot write", "/counter");
  /* Closing unlocks. */
  extmemfs_close(counter);
}

/* Writes the job's text in capitals, again under a temporary name first. */
static long work_on(const char *claimed, const char *name) {
  char temporary[PATH_BYTES], result[PATH_BYTES];
  snprintf(temporary, sizeof temporary, "/new/result-%s", name);
  snprintf(result, sizeof result, "/results/%s", name);

  FILE *from = fopen(claimed, "r"), *to = fopen(temporary, "w");
  if (from == NULL || to == NULL) fail("cannot work on", claimed);
  for (int c; (c = fgetc(from)) != EOF;) fputc(toupper(c), to);
  long bytes = ftell(to);
  if (fclose(from) != 0 || fclose(to) != 0) fail("cannot write", temporary);

  note(journal, "consumed %s %ld\n", name, bytes);
  if (rename(temporary, result) != 0) fail("cannot publish", temporary);
  if (unlink(claimed) != 0) fail("cannot remove", claimed);
  return bytes;
}

/* Takes what is in the queue. Returns how many jobs it found, its own and those that another took first. */
static int take_jobs(int thread) {
  DIR *queue = opendir("/queue");
  if (queue == NULL) fail("cannot list", "/queue");
  int found = 0;
  for (struct dirent *entry; (entry = readdir(queue)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    found++;
    char name[NAME_BYTES], queued[PATH_BYTES], claimed[PATH_BYTES];
    snprintf(name, sizeof name, "%s", entry->d_name);
    snprintf(queued, sizeof queued, "/queue/%s", name);
    snprintf(claimed, sizeof claimed, "/claimed/%s", name);
    /* The claim: of all that try to move the job, one succeeds. */
    if (rename(queued, claimed) != 0) {
      if (errno != ENOENT) fail("cannot claim", queued);
      seen[thread].lost++;
      continue;
    }
    seen[thread].bytes += work_on(claimed, name);
    seen[thread].jobs++;
    count_one();
  }
  closedir(queue);
  return found;
}

static void *consume(void *argument) {
  int thread = (int)(size_t)argument;
  for (;;) {
    /* Asked first: what was queued before the producer ended is found afterwards. */
    int last = access("/produced", F_OK) == 0;
    if (take_jobs(thread) == 0) {
      if (last) return NULL;
      usleep(500);
    }
  }
}

int main(void) {
  journal = open_journal();
  double start = seconds();
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, consume, (void *)i);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  printf("%d threads took %d + %d jobs, %lld bytes, in %.2f s; %d times the other was faster\n", THREADS, seen[0].jobs,
         seen[1].jobs, seen[0].bytes + seen[1].bytes, seconds() - start, seen[0].lost + seen[1].lost);
  return 0;
}
