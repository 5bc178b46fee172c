// The C library's streams and temporary files over the file system.
#include "steps.h"
#include <ftw.h>
#include <glob.h>

static void write_by(const char *mode) {
  FILE *file = fopen("a", mode);
  if (file == NULL) {
    say("fopen a %s: %s", mode, error_name(errno));
    return;
  }
  // Where a stream that appends begins differs between C libraries.
  if (mode[0] == 'a') say("fopen a %s: ok", mode);
  else say("fopen a %s: at %ld", mode, ftell(file));
  int result = fputs("XY", file);
  int flushed = fflush(file);
  say("fputs: %s, fflush: %s", result < 0 ? "fails" : "ok", flushed < 0 ? "fails" : "ok");
  clearerr(file);
  char text[16] = {0};
  if (fseek(file, 0, SEEK_SET) < 0) say("fseek: %s", error_name(errno));
  size_t count = fread(text, 1, 15, file);
  say("fread: %d %s", (int)count, ferror(file) ? "fails" : "ok");
  fclose(file);
}

CASE(open_modes) {
  const char *modes[] = {"r", "r+", "w", "w+", "a", "a+", "wx", "rb", "r+b"};
  for (int i = 0; i < 9; i++) {
    put("a", "hello");
    write_by(modes[i]);
    cat("a");
  }
  CALL(unlink("a"));
  write_by("r");
  write_by("r+");
  write_by("wx");
  cat("a");
  POINTER(fopen("a", "q"));
  CALL(mkdir("d", 0755));
  POINTER(fopen("d", "w"));
  FILE *dir = (FILE *)POINTER(fopen("d", "r"));
  if (dir != NULL) {
    CALL(fgetc(dir));
    fclose(dir);
  }
}

CASE(positions) {
  FILE *file = (FILE *)POINTER(fopen("a", "w+"));
  CALL(fprintf(file, "line one\nline two\nline three\n"));
  CALL(ftell(file));
  CALL(fseek(file, 5, SEEK_SET));
  CALL(fgetc(file));
  CALL(ftell(file));
  CALL(ungetc('Z', file));
  CALL(ftell(file));
  CALL(fgetc(file));
  CALL(fseek(file, -6, SEEK_END));
  char line[32];
  TEXT("line", fgets(line, sizeof line, file));
  TEXT("line", fgets(line, sizeof line, file));
  HOLDS(feof(file));
  rewind(file);
  HOLDS(!feof(file));
  TEXT("line", fgets(line, sizeof line, file));
  TEXT("line", fgets(line, 4, file));
  fpos_t place;
  CALL(fgetpos(file, &place));
  TEXT("line", fgets(line, sizeof line, file));
  CALL(fsetpos(file, &place));
  TEXT("line", fgets(line, sizeof line, file));
  CALL(fseek(file, -1, SEEK_SET));
  CALL(fseeko(file, 100, SEEK_SET));
  CALL(ftello(file));
  CALL(fputc('!', file));
  CALL(fclose(file));
  show("a");
}

CASE(buffering) {
  FILE *file = (FILE *)POINTER(fopen("a", "w"));
  CALL(setvbuf(file, NULL, _IOFBF, 4096));
  HOLDS(fputs("buffered", file) >= 0);
  show("a");
  CALL(fflush(file));
  show("a");
  CALL(fclose(file));
  file = (FILE *)POINTER(fopen("b", "w"));
  CALL(setvbuf(file, NULL, _IONBF, 0));
  fputs("direct", file);
  show("b");
  CALL(fclose(file));
  file = (FILE *)POINTER(fopen("c", "w"));
  CALL(setvbuf(file, NULL, _IOLBF, 4096));
  fputs("line\nrest", file);
  cat("c");
  CALL(fclose(file));
  cat("c");
}

CASE(mixed_reads_and_writes) {
  put("a", "0123456789");
  FILE *file = (FILE *)POINTER(fopen("a", "r+"));
  CALL(fgetc(file));
  CALL(fseek(file, 0, SEEK_CUR));
  HOLDS(fputs("ab", file) >= 0);
  CALL(fseek(file, 0, SEEK_CUR));
  CALL(fgetc(file));
  CALL(fclose(file));
  cat("a");
  file = (FILE *)POINTER(fopen("a", "a+"));
  CALL(fgetc(file));
  CALL(fseek(file, 0, SEEK_SET));
  HOLDS(fputs("end", file) >= 0);
  CALL(ftell(file));
  CALL(fclose(file));
  cat("a");
}

CASE(scanned) {
  put("a", "12 3.5 word\n-7 end");
  FILE *file = (FILE *)POINTER(fopen("a", "r"));
  int number = 0, other = 0;
  double real = 0;
  char word[16] = {0};
  CALL(fscanf(file, "%d %lf %15s %d", &number, &real, word, &other));
  say("%d %.1f %s %d", number, real, word, other);
  CALL(fclose(file));
}

CASE(long_lines) {
  FILE *file = (FILE *)POINTER(fopen("a", "w"));
  for (int i = 0; i < 20000; i++) fprintf(file, "%d%c", i, i % 1000 == 999 ? '\n' : ' ');
  CALL(fclose(file));
  show("a");
  file = (FILE *)POINTER(fopen("a", "r"));
  char *line = NULL;
  size_t capacity = 0;
  int lines = 0;
  long long sum = 0;
  ssize_t length;
  while ((length = getline(&line, &capacity, file)) > 0) {
    lines++;
    sum += length;
  }
  CALL(lines);
  CALL(sum);
  free(line);
  CALL(fclose(file));
}

CASE(from_a_descriptor) {
  int fd = TRY(open("a", O_RDWR | O_CREAT, 0644));
  CALL(write(fd, "abc", 3));
  FILE *file = (FILE *)POINTER(fdopen(fd, "r+"));
  HOLDS(fileno(file) == fd);
  CALL(ftell(file));
  HOLDS(fputs("def", file) >= 0);
  CALL(fclose(file));
  CALL(close(fd));
  cat("a");
  POINTER(fdopen(fd, "r"));
}

CASE(temporary_files) {
  char name[32] = "tmp_XXXXXX";
  int fd = TRY(mkstemp(name));
  HOLDS(strncmp(name, "tmp_", 4) == 0 && strcmp(name, "tmp_XXXXXX") != 0);
  struct stat st;
  CALL(fstat(fd, &st));
  CALL(st.st_mode & 0777);
  CALL(write(fd, "abc", 3));
  CALL(close(fd));
  CALL(unlink(name));
  char wrong[] = "no_pattern";
  CALL(mkstemp(wrong));
  char suffix[32] = "t_XXXXXX.txt";
  fd = TRY(mkstemps(suffix, 4));
  HOLDS(strcmp(suffix + 8, ".txt") == 0);
  CALL(close(fd));
  CALL(unlink(suffix));
  char directory[32] = "dir_XXXXXX";
  POINTER(mkdtemp(directory));
  CALL(stat(directory, &st));
  HOLDS(S_ISDIR(st.st_mode));
  CALL(st.st_mode & 0777);
  CALL(rmdir(directory));
  char missing[] = "no/dir_XXXXXX";
  POINTER(mkdtemp(missing));
  FILE *file = (FILE *)POINTER(tmpfile());
  if (file != NULL) {
    HOLDS(fputs("temporary", file) >= 0);
    rewind(file);
    char text[16] = {0};
    TEXT("read back", fgets(text, sizeof text, file));
    CALL(fclose(file));
  }
  list(".");
}

static int visits;
static int depth_sum;

static int visit(const char *path, const struct stat *st, int type, struct FTW *place) {
  (void)path;
  visits += type == FTW_D ? 100 : type == FTW_F ? 1 : type == FTW_SL ? 10000 : type == FTW_DP ? 1000000 : 100000000;
  depth_sum += place->level;
  return st->st_size < 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *place) {
  (void)st, (void)type, (void)place;
  return remove(path);
}

CASE(tree_walk) {
  CALL(mkdir("t", 0755));
  CALL(mkdir("t/a", 0755));
  CALL(mkdir("t/a/b", 0755));
  put("t/1", "");
  put("t/a/2", "");
  put("t/a/b/3", "");
  CALL(symlink("1", "t/link"));
  CALL(nftw("t", visit, 8, FTW_PHYS));
  CALL(visits);
  CALL(depth_sum);
  CALL(nftw("no", visit, 8, FTW_PHYS));
  CALL(nftw("t", remove_entry, 8, FTW_PHYS | FTW_DEPTH));
  list(".");
}

CASE(patterns) {
  put("a.txt", "");
  put("b.txt", "");
  put("c.dat", "");
  glob_t found;
  CALL(glob("*.txt", 0, NULL, &found));
  for (size_t i = 0; i < found.gl_pathc; i++) TEXT("match", found.gl_pathv[i]);
  globfree(&found);
  HOLDS(glob("*.no", 0, NULL, &found) == GLOB_NOMATCH);
}

PROGRAM(stdio, C(open_modes), C(positions), C(buffering), C(mixed_reads_and_writes), C(scanned), C(long_lines),
        C(from_a_descriptor), C(temporary_files), C(tree_walk), C(patterns))
