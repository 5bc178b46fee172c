#include "steps.h"
#include "finish.h"

static char base[PATH_MAX];

const char *base_directory(void) { return base; }

const char *files_directory(const char *name) {
  static char path[PATH_MAX + 16];
#ifdef __EMSCRIPTEN__
  snprintf(path, sizeof path, "/%s", name);
#else
  // Natively they lie beside the working directory; the test puts them there.
  snprintf(path, sizeof path, "%s/../%s", base, name);
#endif
  return path;
}

const char *error_name(int number) {
  switch (number) {
#define NAME(error) \
  case error:       \
    return #error;
    NAME(E2BIG) NAME(EACCES) NAME(EAGAIN) NAME(EBADF) NAME(EBUSY) NAME(EDEADLK) NAME(EEXIST) NAME(EFAULT)
    NAME(EFBIG) NAME(EINTR) NAME(EINVAL) NAME(EIO) NAME(EISDIR) NAME(ELOOP) NAME(EMFILE) NAME(EMLINK)
    NAME(ENAMETOOLONG) NAME(ENFILE) NAME(ENODEV) NAME(ENOENT) NAME(ENOLCK) NAME(ENOMEM) NAME(ENOSPC) NAME(ENOSYS)
    NAME(ENOTDIR) NAME(ENOTEMPTY) NAME(ENOTSUP) NAME(ENOTTY) NAME(ENXIO) NAME(EOVERFLOW) NAME(EPERM) NAME(EPIPE)
    NAME(ERANGE) NAME(EROFS) NAME(ESPIPE) NAME(ESTALE) NAME(ETXTBSY) NAME(EXDEV)
#undef NAME
    case 0:
      return "no errno";
  }
  static char other[24];
  snprintf(other, sizeof other, "errno %d", number);
  return other;
}

static long long print_result(const char *call, long long result, int success_only) {
  int error = errno;
  if (result == -1) printf("%s: %s\n", call, error_name(error));
  else if (success_only) printf("%s: ok\n", call);
  else printf("%s: %lld\n", call, result);
  errno = error;
  return result;
}

long long step_number(const char *call, long long result) { return print_result(call, result, 0); }

long long step_success(const char *call, long long result) { return print_result(call, result, 1); }

void step_open(const char *call, long long result) {
  if (print_result(call, result, 1) >= 0) close((int)result);
}

void *step_pointer(const char *call, void *result) {
  int error = errno;
  // mmap says failure by (void *)-1.
  if (result == NULL || result == (void *)-1) printf("%s: NULL, %s\n", call, error_name(error));
  else printf("%s: not NULL\n", call);
  errno = error;
  return result;
}

void step_holds(const char *condition, int holds) { printf("%s: %s\n", condition, holds ? "yes" : "NO"); }

void step_text(const char *label, const char *text, size_t count) {
  printf("%s: ", label);
  if (text == NULL) {
    printf("NULL\n");
    return;
  }
  putchar('"');
  for (size_t i = 0; i < count;) {
    size_t run = 1;
    while (i + run < count && text[i + run] == text[i]) run++;
    size_t times = run > 8 ? 1 : run;
    for (size_t k = 0; k < times; k++) {
      unsigned char c = (unsigned char)text[i];
      if (c == '\n') printf("\\n");
      else if (c == '"' || c == '\\') printf("\\%c", c);
      else if (c < 32 || c > 126) printf("\\x%02x", c);
      else putchar(c);
    }
    if (run > 8) printf("{%zu times}", run);
    i += run;
  }
  printf("\"\n");
}

void step_string(const char *label, const char *text) { step_text(label, text, text == NULL ? 0 : strlen(text)); }

void say(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  putchar('\n');
}

static const char *type_name(mode_t mode) {
  if (S_ISREG(mode)) return "file";
  if (S_ISDIR(mode)) return "directory";
  if (S_ISLNK(mode)) return "link";
  if (S_ISCHR(mode)) return "character device";
  return "other";
}

void show(const char *path) {
  struct stat st;
  if (lstat(path, &st) < 0) {
    say("%s is: %s", path, error_name(errno));
    return;
  }
  // The size of a directory and the number of its links are the file system's own affair.
  if (S_ISDIR(st.st_mode)) say("%s is: directory %03o", path, st.st_mode & 07777);
  else if (S_ISLNK(st.st_mode)) say("%s is: link size %lld", path, (long long)st.st_size);
  else {
    say("%s is: %s %03o size %lld links %d", path, type_name(st.st_mode), st.st_mode & 07777, (long long)st.st_size,
        (int)st.st_nlink);
  }
}

void cat(const char *path) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) {
    say("%s contains: %s", path, error_name(errno));
    return;
  }
  static char buffer[65536];
  size_t count = 0;
  ssize_t n;
  while (count < sizeof buffer && (n = read(fd, buffer + count, sizeof buffer - count)) > 0) count += n;
  close(fd);
  printf("%s contains", path);
  step_text("", buffer, count);
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void list(const char *path) {
  DIR *dir = opendir(path);
  if (dir == NULL) {
    say("%s lists: %s", path, error_name(errno));
    return;
  }
  char *lines[256];
  int count = 0;
  struct dirent *entry;
  while (count < 256 && (entry = readdir(dir)) != NULL) {
    const char *type = entry->d_type == DT_REG ? "f"
                       : entry->d_type == DT_DIR ? "d"
                       : entry->d_type == DT_LNK ? "l"
                       : entry->d_type == DT_UNKNOWN ? "?"
                                                     : "o";
    lines[count] = (char *)malloc(strlen(entry->d_name) + 3);
    sprintf(lines[count++], "%s:%s", entry->d_name, type);
  }
  closedir(dir);
  qsort(lines, count, sizeof *lines, compare_names);
  printf("%s lists:", path);
  for (int i = 0; i < count; i++) {
    printf(" %s", lines[i]);
    free(lines[i]);
  }
  printf("\n");
}

void put(const char *path, const char *contents) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  size_t length = strlen(contents);
  if (fd < 0 || write(fd, contents, length) != (ssize_t)length || close(fd) < 0) {
    say("cannot prepare %s: %s", path, error_name(errno));
    close(fd);
  }
}

static int is_listed(const char *name, const char *list) {
  size_t length = strlen(name);
  for (const char *at = list; (at = strstr(at, name)) != NULL; at += length) {
    if ((at == list || at[-1] == ',') && (at[length] == '\0' || at[length] == ',')) return 1;
  }
  return 0;
}

extern const Program programs[];

// Arguments: the program; optionally the names of cases to leave out, separated by commas.
int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  const char *without = argc > 2 ? argv[2] : "";
  setvbuf(stdout, NULL, _IOLBF, 0);
  umask(022);
#ifdef __EMSCRIPTEN__
  mkdir("/conformance", 0755);
  if (chdir("/conformance") < 0) return 3;
#endif
  if (getcwd(base, sizeof base) == NULL) return 3;
  for (const Program *program = programs; program->name != NULL; program++) {
    if (strcmp(program->name, name) != 0) continue;
    char directory[PATH_MAX + 64];
    snprintf(directory, sizeof directory, "%s/%s", base, name);
    if (mkdir(directory, 0755) < 0) return 3;
    for (const Case *one = program->cases; one->name != NULL; one++) {
      if (is_listed(one->name, without)) continue;
      say("# %s", one->name);
      snprintf(directory, sizeof directory, "%s/%s/%s", base, name, one->name);
      if (mkdir(directory, 0755) < 0 || chdir(directory) < 0) {
        say("cannot enter %s: %s", one->name, error_name(errno));
        return 3;
      }
      one->run();
      if (chdir(base) < 0) return 3;
    }
    finish_output();
    return 0;
  }
  say("no program '%s'", name);
  return 2;
}
