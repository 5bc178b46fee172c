/* Reads a file of the pool through the C library, and one more way through extmemfs.h. */
#include <extmemfs.h>
#include <fcntl.h>
#include <stdio.h>
#ifdef MOUNTED
#include <extmemfs_wasmfs.h>
#define PATH "/pool/hello.txt"
#else
#define PATH "/hello.txt"
#endif

int main(void) {
#ifdef MOUNTED
  wasmfs_create_directory("/pool", 0777, extmemfs_create_backend());
#endif
  char line[64] = "nothing";
  FILE *file = fopen(PATH, "r");
  if (file != NULL) {
    fgets(line, sizeof line, file);
    fclose(file);
  }
  /* Without the C library paths are the pool's own. */
  printf("%s, %d bytes\n", line, (int)extmemfs_size(extmemfs_open("/hello.txt", O_RDONLY)));
  return 0;
}
