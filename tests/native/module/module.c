/* A program that uses the tree from C and from JavaScript, in the main thread and in a pthread. */
#include <emscripten.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What JavaScript's own filesystem, Module.extmemfs of this thread, says of a file: its size, and what it begins with. */
EM_JS(int, js_size, (const char *path), {
  const found = Module['extmemfs'].statSync(UTF8ToString(path), { throwIfNoEntry: false });
  return found === undefined ? -1 : found.size;
});
EM_JS(void, js_write, (const char *path, const char *text), {
  Module['extmemfs'].writeFileSync(UTF8ToString(path), UTF8ToString(text));
});
EM_JS(int, js_agent, (void), { return Module['extmemfs'].agentId; });

static int first_agent;

static void meet(const char *who) {
  char path[64], text[64] = "";
  snprintf(path, sizeof path, "/from_c_%s", who);
  int fd = open(path, O_CREAT | O_WRONLY, 0644);
  write(fd, "12345", 5);
  close(fd);
  printf("%s: JavaScript sees %d bytes\n", who, js_size(path));
  snprintf(path, sizeof path, "/from_js_%s", who);
  js_write(path, "written by JavaScript");
  fd = open(path, O_RDONLY);
  ssize_t bytes = read(fd, text, sizeof text - 1);
  close(fd);
  printf("%s: C reads %zd bytes: %s\n", who, bytes, text);
  printf("%s: nothing at /none: %d\n", who, js_size("/none"));
}

static void *thread(void *argument) {
  (void)argument;
  meet("pthread");
  printf("agents differ: %s\n", js_agent() != first_agent ? "yes" : "no");
  return NULL;
}

/* Where a path leads, for tests of mounts: makes a file there, and says how that went. */
static void place(const char *path) {
  int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
  printf("%s: %s\n", path, fd >= 0 ? "made" : strerror(errno));
  if (fd < 0) return;
  write(fd, "x", 1);
  close(fd);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    for (int index = 1; index < argc; index++) {
      if (argv[index][0] == '@') {
        char path[256] = "";
        int changed = chdir(argv[index] + 1);
        printf("chdir %s: %d, in %s\n", argv[index] + 1, changed, getcwd(path, sizeof path));
      } else place(argv[index]);
    }
    return 0;
  }
  first_agent = js_agent();
  meet("main");
  pthread_t id;
  pthread_create(&id, NULL, thread, NULL);
  pthread_join(id, NULL);
  return 0;
}
