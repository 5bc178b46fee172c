// The WasmFS backend: the files of a pool in a program that is linked with -sWASMFS.

#ifndef EXTMEMFS_WASMFS_H
#define EXTMEMFS_WASMFS_H

#include <emscripten/wasmfs.h>

#ifdef __cplusplus
extern "C" {
#endif

// Makes a backend whose root is the root of the pool that the program is attached to. Mount it where you like, once:
//
//     wasmfs_create_directory("/shared", 0777, extmemfs_create_backend());
//
// The mode is the pool's own, not the one given. A program that is linked with extmemfs_root.cpp has the pool as its root.
backend_t extmemfs_create_backend(void);

#ifdef __cplusplus
}
#endif

#endif
