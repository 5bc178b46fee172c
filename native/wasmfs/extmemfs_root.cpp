// Makes the pool the root of the program's files: linking this file is all that it takes. Devices stay WasmFS's own.

#include <wasmfs/backend.h>

namespace wasmfs {

extern "C" {

backend_t extmemfs_create_backend(void);

backend_t wasmfs_create_root_dir(void) { return extmemfs_create_backend(); }

} // extern "C"

} // namespace wasmfs
