/* Works in a directory of WasmFS's backend that keeps the bytes in JavaScript. */
#include <emscripten/wasmfs.h>

const char *bench_mount(void) {
  wasmfs_create_directory("/jsfile", 0777, wasmfs_create_js_file_backend());
  return "/jsfile";
}
