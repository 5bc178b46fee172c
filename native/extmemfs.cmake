# ExtMemFS for programs that CMake builds with Emscripten:
#
#     include(path/to/extmemfs/native/extmemfs.cmake)
#     target_link_extmemfs(program)
#
#   target_link_extmemfs(<target> [WASMFS [MOUNTED]])
#
# Links an executable with the pool, and adds the folder of <extmemfs.h>. Without WASMFS by its system calls; with it as
# the root of WasmFS, or with MOUNTED as a backend that the program mounts itself (extmemfs_wasmfs.h). Call it in the
# CMakeLists.txt that adds the target; WASMFS needs the language CXX. The libraries come from `deno task native:dist`.

set(EXTMEMFS_NATIVE_DIR "${CMAKE_CURRENT_LIST_DIR}")

function(target_link_extmemfs target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "WASMFS;MOUNTED" "" "")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "target_link_extmemfs(${target}): unknown argument '${arg_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT EMSCRIPTEN)
    message(FATAL_ERROR "target_link_extmemfs(${target}): not building with Emscripten; configure by emcmake")
  endif()

  if(arg_WASMFS)
    set(library "${EXTMEMFS_NATIVE_DIR}/dist/library_extmemfs_wasmfs.js")
  else()
    set(library "${EXTMEMFS_NATIVE_DIR}/dist/library_extmemfs.js")
  endif()
  if(NOT EXISTS "${library}")
    message(FATAL_ERROR "target_link_extmemfs(${target}): there is no ${library}; run `deno task native:dist`")
  endif()
  target_include_directories(${target} PRIVATE "${EXTMEMFS_NATIVE_DIR}/include")
  target_link_options(${target} PRIVATE "SHELL:--js-library \"${library}\"")
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${library}")

  if(NOT arg_WASMFS)
    # The C library's own flock() grants everything.
    set(flock "${EXTMEMFS_NATIVE_DIR}/syscalls/flock.c")
    target_sources(${target} PRIVATE "${flock}")
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    if(NOT "C" IN_LIST languages)
      set_source_files_properties("${flock}" PROPERTIES LANGUAGE CXX)
    endif()
  else()
    set(wasmfs "${EXTMEMFS_NATIVE_DIR}/wasmfs")
    set(sources "${wasmfs}/extmemfs_backend.cpp" "${wasmfs}/extmemfs_calls.cpp")
    if(NOT arg_MOUNTED)
      list(APPEND sources "${wasmfs}/extmemfs_root.cpp")
    endif()
    # Compiled with the target, so that flags such as -pthread are the same. WasmFS's own headers come after all others.
    target_sources(${target} PRIVATE ${sources})
    set_source_files_properties(${sources} PROPERTIES
      COMPILE_OPTIONS "-std=gnu++17;-idirafter${EMSCRIPTEN_ROOT_PATH}/system/lib")
    target_include_directories(${target} PRIVATE "${wasmfs}")
    file(STRINGS "${wasmfs}/flags.txt" flags)
    target_link_options(${target} PRIVATE -sWASMFS -sFORCE_FILESYSTEM ${flags})
  endif()
endfunction()
