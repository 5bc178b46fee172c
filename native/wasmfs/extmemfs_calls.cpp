// System calls of which WasmFS passes too little on to a backend. Each one is WasmFS's own, and before or behind it what the
// backend has to know, or knows better: the flags of an open, the reason of a failure, that a mode has been changed, inode
// numbers, locks. A program is linked with this file and the flags in flags.txt; without both the backend works all the
// same, with the limits that native/README.md lists.

#include "pool_files.h"

#include <errno.h>
#include <fcntl.h>
#include <wasmfs/paths.h>
#include <stdarg.h>
#include <string.h>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>
#include <wasmfs/wasmfs.h>

using namespace extmemfs;
using wasmfs::wasmFS;

namespace {

// What differs from other files' device: two inodes of one number are not the same file there.
constexpr dev_t DEVICE = 2;

// The reason of a failure for which WasmFS has one error number only.
int reasonOf(int result, int generic) { return result == generic && call.error != 0 ? call.error : result; }

std::shared_ptr<File> fileOf(int fd) {
  auto openFile = wasmFS.getFileTable().locked().getEntry(fd);
  return openFile ? openFile->locked().getFile() : nullptr;
}

void settle(std::shared_ptr<File> file) {
  if (file && PoolBackend::of(file->getBackend())) {
    auto locked = file->locked();
    PoolBackend::settle(*file);
  }
}

// Writes what a call has changed to the inode that it found, if an object for it is still there, and where no look-up says
// which that was, to those that paths begin at.
void settleFound(int result) {
  if (result != 0) {
    return;
  }
  if (call.backend) {
    settle(call.backend->find(call.inode, call.generation));
  } else {
    settle(wasmFS.getCWD());
    settle(wasmFS.getRootDirectory());
  }
}

int statFound(int result, struct stat* buf) {
  call.inStat = false;
  call.isFresh = false;
  if (result == 0 && call.isFilled) {
    buf->st_dev = DEVICE;
    buf->st_ino = call.node.inode;
    buf->st_nlink = call.node.nlink;
    if (call.node.allocated >= 0) {
      buf->st_blocks = (blkcnt_t)((call.node.allocated + 511) / 512);
    }
  }
  return result;
}

void beginStat() {
  call.inStat = true;
  call.isFresh = false;
  call.isFilled = false;
}

// The path of a directory that is no directory of the pool, or its root; empty for the root of all.
int pathOf(std::shared_ptr<wasmfs::Directory> directory, std::string& path) {
  while (directory != wasmFS.getRootDirectory()) {
    auto parent = directory->locked().getParent();
    if (!parent) {
      return -ENOENT;
    }
    auto lockedParent = parent->locked();
    // WasmFS looks for a mount point among what its backend has, where it is not.
    auto name = PoolBackend::nameOfMount(*parent, *directory);
    path = '/' + (name.empty() ? lockedParent.getName(directory) : name) + path;
    directory = parent;
  }
  return 0;
}

} // namespace

extern "C" {

int __real___syscall_openat(int dirfd, const char* path, int flags, ...);
int __real___syscall_mknodat(int dirfd, const char* path, mode_t mode, dev_t dev);
int __real___syscall_mkdirat(int dirfd, const char* path, mode_t mode);
int __real___syscall_symlinkat(const char* target, int dirfd, const char* path);
int __real___syscall_linkat(int fromDirfd, const char* from, int dirfd, const char* path, int flags);
int __real___syscall_renameat(int fromDirfd, const char* from, int dirfd, const char* path);
int __real___syscall_newfstatat(int dirfd, const char* path, struct stat* buf, int flags);
int __real___syscall_stat64(const char* path, struct stat* buf);
int __real___syscall_lstat64(const char* path, struct stat* buf);
int __real___syscall_fstat64(int fd, struct stat* buf);
int __real___syscall_chmod(const char* path, mode_t mode);
int __real___syscall_fchmod(int fd, mode_t mode);
int __real___syscall_fchmodat2(int dirfd, const char* path, mode_t mode, int flags);
int __real___syscall_utimensat(int dirfd, const char* path, const struct timespec times[2], int flags);
int __real___syscall_getcwd(char* buf, size_t size);
int __real___syscall_fcntl64(int fd, int command, ...);

int __wrap___syscall_openat(int dirfd, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = va_arg(list, int);
  va_end(list);
  call.flags = flags;
  call.error = 0;
  int result = __real___syscall_openat(dirfd, path, flags, mode);
  call.flags = -1;
  return reasonOf(result, -EIO);
}

int __wrap___syscall_mknodat(int dirfd, const char* path, mode_t mode, dev_t dev) {
  call.flags = O_CREAT | O_EXCL;
  call.error = 0;
  int result = __real___syscall_mknodat(dirfd, path, mode, dev);
  call.flags = -1;
  return reasonOf(result, -EIO);
}

int __wrap___syscall_mkdirat(int dirfd, const char* path, mode_t mode) {
  call.error = 0;
  return reasonOf(__real___syscall_mkdirat(dirfd, path, mode), -EIO);
}

int __wrap___syscall_symlinkat(const char* target, int dirfd, const char* path) {
  call.error = 0;
  return reasonOf(__real___syscall_symlinkat(target, dirfd, path), -EPERM);
}

// WasmFS has no hard links; the pool has.
int __wrap___syscall_linkat(int fromDirfd, const char* from, int dirfd, const char* path, int flags) {
  auto source = wasmfs::path::parseParent(from, fromDirfd);
  auto target = wasmfs::path::parseParent(path, dirfd);
  if (int error = source.getError()) {
    return error;
  }
  if (int error = target.getError()) {
    return error;
  }
  auto& [sourceParent, sourceName] = source.getParentChild();
  auto& [targetParent, targetName] = target.getParentChild();
  if (flags != 0 || !PoolBackend::of(sourceParent->getBackend())) {
    return __real___syscall_linkat(fromDirfd, from, dirfd, path, flags);
  }
  if (sourceParent->getBackend() != targetParent->getBackend()) {
    return -EXDEV;
  }
  auto& fromDirectory = static_cast<PoolDirectory&>(*sourceParent);
  auto& toDirectory = static_cast<PoolDirectory&>(*targetParent);
  return extmemfs_wasmfs_link(fromDirectory.inode,
                              fromDirectory.generation,
                              sourceName.data(),
                              sourceName.size(),
                              toDirectory.inode,
                              toDirectory.generation,
                              targetName.data(),
                              targetName.size());
}

// WasmFS holds both directories' locks and asks their ancestors for theirs, while another thread's walk comes from there:
// both wait for ever. The pool needs neither.
int __wrap___syscall_renameat(int fromDirfd, const char* from, int dirfd, const char* path) {
  auto source = wasmfs::path::parseParent(from, fromDirfd);
  if (int error = source.getError()) {
    return error;
  }
  auto target = wasmfs::path::parseParent(path, dirfd);
  if (int error = target.getError()) {
    return error;
  }
  auto& [sourceParent, sourceView] = source.getParentChild();
  auto& [targetParent, targetView] = target.getParentChild();
  auto* pool = PoolBackend::of(sourceParent->getBackend());
  if (!pool && !PoolBackend::of(targetParent->getBackend())) {
    return __real___syscall_renameat(fromDirfd, from, dirfd, path);
  }
  if (sourceParent->getBackend() != targetParent->getBackend()) {
    return -EXDEV;
  }
  std::string sourceName(sourceView);
  std::string targetName(targetView);
  for (auto& [parent, name] : {std::tie(sourceParent, sourceName), std::tie(targetParent, targetName)}) {
    auto locked = parent->locked();
    if (off_t error = locked.getSize(); error < 0) {
      return error;
    }
    if (PoolBackend::isMount(*parent, name)) {
      return -EBUSY;
    }
    if (!(locked.getMode() & 0222)) {
      return -EACCES;
    }
  }
  // A slash at the end, which WasmFS leaves out, says that it is a directory.
  auto keepSlash = [](std::string& name, const char* whole) {
    if (size_t length = strlen(whole); length > 0 && whole[length - 1] == '/') {
      name += '/';
    }
  };
  keepSlash(sourceName, from);
  keepSlash(targetName, path);
  auto& fromDirectory = static_cast<PoolDirectory&>(*sourceParent);
  auto& toDirectory = static_cast<PoolDirectory&>(*targetParent);
  Node moved;
  Node replaced;
  int result = extmemfs_wasmfs_rename(fromDirectory.inode,
                                      fromDirectory.generation,
                                      sourceName.data(),
                                      sourceName.size(),
                                      toDirectory.inode,
                                      toDirectory.generation,
                                      targetName.data(),
                                      targetName.size(),
                                      &moved,
                                      &replaced);
  if (result == 0) {
    pool->noteRename(moved, replaced, toDirectory.self());
  }
  return result;
}

int __wrap___syscall_newfstatat(int dirfd, const char* path, struct stat* buf, int flags) {
  beginStat();
  return statFound(__real___syscall_newfstatat(dirfd, path, buf, flags), buf);
}

int __wrap___syscall_stat64(const char* path, struct stat* buf) {
  beginStat();
  return statFound(__real___syscall_stat64(path, buf), buf);
}

int __wrap___syscall_lstat64(const char* path, struct stat* buf) {
  beginStat();
  return statFound(__real___syscall_lstat64(path, buf), buf);
}

int __wrap___syscall_fstat64(int fd, struct stat* buf) {
  beginStat();
  return statFound(__real___syscall_fstat64(fd, buf), buf);
}

int __wrap___syscall_chmod(const char* path, mode_t mode) {
  call.backend = nullptr;
  int result = __real___syscall_chmod(path, mode);
  settleFound(result);
  return result;
}

int __wrap___syscall_fchmod(int fd, mode_t mode) {
  int result = __real___syscall_fchmod(fd, mode);
  if (result == 0) {
    settle(fileOf(fd));
  }
  return result;
}

int __wrap___syscall_fchmodat2(int dirfd, const char* path, mode_t mode, int flags) {
  call.backend = nullptr;
  int result = __real___syscall_fchmodat2(dirfd, path, mode, flags);
  settleFound(result);
  return result;
}

int __wrap___syscall_utimensat(int dirfd, const char* path, const struct timespec times[2], int flags) {
  call.backend = nullptr;
  // Without a path it is about the descriptor.
  int result = __real___syscall_utimensat(dirfd, path ? path : "", times, flags);
  if (dirfd != AT_FDCWD && result == 0) {
    settle(fileOf(dirfd));
  }
  settleFound(result);
  return result;
}

int __wrap___syscall_getcwd(char* buf, size_t size) {
  auto cwd = wasmFS.getCWD();
  auto* pool = PoolBackend::of(cwd->getBackend());
  if (!pool || !buf || size == 0) {
    return __real___syscall_getcwd(buf, size);
  }
  auto& directory = static_cast<PoolDirectory&>(*cwd);
  std::string path(4096, 0);
  int bytes = extmemfs_wasmfs_path_of(directory.inode, directory.generation, path.data(), path.size());
  if (bytes < 0) {
    return bytes;
  }
  path.resize(bytes);
  std::string result;
  if (int error = pathOf(pool->getRoot(), result)) {
    return error;
  }
  result = path == "/" ? (result.empty() ? "/" : result) : result + path;
  if (result.size() + 1 > size) {
    return -ERANGE;
  }
  memcpy(buf, result.c_str(), result.size() + 1);
  return result.size() + 1;
}

int __wrap___syscall_fcntl64(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void* argument = va_arg(list, void*);
  va_end(list);
  if (command == F_SETFL && ((int)(intptr_t)argument & O_APPEND) != 0) {
    if (auto file = fileOf(fd); file && file->is<DataFile>() && PoolBackend::of(file->getBackend())) {
      auto locked = file->locked();
      static_cast<PoolFile&>(*file).noteAppending();
    }
  }
  if (command != F_GETLK && command != F_SETLK && command != F_SETLKW) {
    return __real___syscall_fcntl64(fd, command, argument);
  }
  auto openFile = wasmFS.getFileTable().locked().getEntry(fd);
  if (!openFile) {
    return -EBADF;
  }
  int descriptor;
  auto* lock = static_cast<struct flock*>(argument);
  struct flock absolute = *lock;
  {
    auto lockedOpenFile = openFile->locked();
    auto file = lockedOpenFile.getFile()->dynCast<DataFile>();
    if (!file || !PoolBackend::of(file->getBackend())) {
      return __real___syscall_fcntl64(fd, command, argument);
    }
    int mode = lockedOpenFile.getFlags() & O_ACCMODE;
    if (command != F_GETLK &&
        ((lock->l_type == F_RDLCK && mode == O_WRONLY) || (lock->l_type == F_WRLCK && mode == O_RDONLY))) {
      return -EBADF;
    }
    if (absolute.l_whence == SEEK_CUR) {
      absolute.l_whence = SEEK_SET;
      absolute.l_start += lockedOpenFile.getPosition();
    }
    descriptor = static_cast<PoolFile&>(*file).getDescriptor();
  }
  // Waits without any lock of WasmFS.
  void* pointer = &absolute;
  int result = extmemfs_wasmfs_lock(descriptor, command, &pointer);
  if (result == 0 && command == F_GETLK) {
    if (absolute.l_type == F_UNLCK) {
      lock->l_type = F_UNLCK;
    } else {
      *lock = absolute;
    }
  }
  return result;
}

// Emscripten's C library declares it and has none.
int flock(int fd, int operation) {
  auto file = fileOf(fd);
  int result = -EBADF;
  if (file) {
    result = file->is<DataFile>() && PoolBackend::of(file->getBackend())
               ? extmemfs_wasmfs_flock(static_cast<PoolFile&>(*file).getDescriptor(), operation)
               : -EINVAL;
  }
  if (result < 0) {
    errno = -result;
    return -1;
  }
  return 0;
}

} // extern "C"
