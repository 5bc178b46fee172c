// Files that the linker put into the program (--embed-file) or beside it (--preload-file).
#include "steps.h"

static void use(const char *directory) {
  struct stat st;
  CALL(chdir(directory));
  FILE *file = (FILE *)POINTER(fopen("hello.txt", "r"));
  if (file == NULL) return;
  char line[64];
  TEXT("line", fgets(line, sizeof line, file));
  TEXT("line", fgets(line, sizeof line, file));
  CALL(fclose(file));
  CALL(stat("hello.txt", &st));
  CALL(st.st_size);
  int fd = TRY(open("deep/er/data.bin", O_RDWR));
  unsigned char bytes[300];
  CALL(read(fd, bytes, sizeof bytes));
  int right = 0;
  for (int i = 0; i < 256; i++) right += bytes[i] == i;
  CALL(right);
  // They are files like others.
  CALL(pwrite(fd, "changed", 7, 250));
  CALL(pread(fd, bytes, 7, 250));
  BYTES("changed", bytes, 7);
  CALL(close(fd));
  list("deep");
  fd = TRY(open("new.txt", O_WRONLY | O_CREAT | O_EXCL, 0644));
  CALL(close(fd));
  CALL(unlink("new.txt"));
  list(".");
}

CASE(embedded) { use(files_directory("embedded")); }

CASE(preloaded) { use(files_directory("preloaded")); }

PROGRAM(embedded, C(embedded))
PROGRAM(preloaded, C(preloaded))

const Program programs[] = {{"embedded", program_embedded}, {"preloaded", program_preloaded}, {NULL, NULL}};
