// System calls of which WasmFS passes too little on to a backend. Each one is WasmFS's own, and before or behind it what the
// backend has to know, or knows better: the flags of an open, the reason of a failure, that a mode has been changed, inode
// numbers, locks, links, slashes at the end of a path. A program is linked with this file and the flags in flags.txt; without
// both the backend works all the same, with the limits that native/README.md lists.

#include "pool_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <map>
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
using wasmfs::OpenFileState;
using wasmfs::wasmFS;

// How many descriptors stand for an open file is private to WasmFS. An explicit instantiation may name it.
template<auto Member> struct Uses {
  friend int usesOf(OpenFileState& openFile) { return openFile.*Member; }
};
int usesOf(OpenFileState& openFile);
template struct Uses<&OpenFileState::uses>;

namespace {

// What differs from other files' device: two inodes of one number are not the same file there.
constexpr dev_t DEVICE = 2;

constexpr int LINK_LIMIT = 40;

// The descriptors of the process under which flock() locks open files: those of one file exclude each other, while the
// backend has one descriptor for all of them.
std::mutex flockMutex;
std::map<OpenFileState*, int> flockDescriptors;
std::atomic<int> flockCount;

// The reason of a failure for which WasmFS has one error number only.
int reasonOf(int result, int generic, int dirfd, const char* path) {
  if (result != generic) {
    return result;
  }
  if (call.error != 0) {
    return call.error;
  }
  // The backend was not asked: the directory has been removed.
  auto parsed = wasmfs::path::parseParent(path, dirfd);
  return !parsed.getError() && PoolBackend::of(parsed.getParentChild().first->getBackend()) ? -ENOENT : result;
}

// The inode of a file of the pool.
std::pair<int32_t, int32_t> inodeOf(File& file) {
  if (file.is<wasmfs::Directory>()) {
    auto& directory = static_cast<PoolDirectory&>(file);
    return {directory.inode, directory.generation};
  }
  if (file.is<DataFile>()) {
    auto& data = static_cast<PoolFile&>(file);
    return {data.inode, data.generation};
  }
  auto& link = static_cast<PoolSymlink&>(file);
  return {link.inode, link.generation};
}

std::shared_ptr<OpenFileState> openFileOf(int fd) { return wasmFS.getFileTable().locked().getEntry(fd); }

bool isClosed(OpenFileState& openFile) {
  auto table = wasmFS.getFileTable().locked();
  return usesOf(openFile) == 0;
}

// Gives back the locks that go with a descriptor that has been closed, but for those that go with the inode's own.
void releaseLocks(OpenFileState& openFile) {
  if (flockCount != 0 && isClosed(openFile)) {
    int descriptor = -1;
    {
      std::lock_guard<std::mutex> lock(flockMutex);
      if (auto at = flockDescriptors.find(&openFile); at != flockDescriptors.end()) {
        descriptor = at->second;
        flockDescriptors.erase(at);
        flockCount--;
      }
    }
    if (descriptor >= 0) {
      (void)extmemfs_wasmfs_close(descriptor);
    }
  }
  auto file = openFile.locked().getFile();
  if (file->is<DataFile>() && PoolBackend::of(file->getBackend())) {
    auto locked = file->locked();
    static_cast<PoolFile&>(*file).releaseLocks();
  }
}

std::shared_ptr<File> fileOf(int fd) {
  auto openFile = openFileOf(fd);
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

// The path of a directory.
int fullPathOf(std::shared_ptr<wasmfs::Directory> directory, std::string& path) {
  auto* pool = PoolBackend::of(directory->getBackend());
  if (!pool) {
    return pathOf(directory, path);
  }
  auto [inode, generation] = inodeOf(*directory);
  std::string inner(4096, 0);
  int bytes = extmemfs_wasmfs_path_of(inode, generation, inner.data(), inner.size());
  if (bytes < 0) {
    return bytes;
  }
  inner.resize(bytes);
  if (int error = pathOf(pool->getRoot(), path)) {
    return error;
  }
  if (inner != "/") {
    path += inner;
  }
  return 0;
}

// Puts in place of a path that leads to a symbolic link where this leads to, as an absolute path.
int follow(int& dirfd, std::string& path) {
  for (int links = 0; links <= LINK_LIMIT; links++) {
    auto parsed = wasmfs::path::parseParent(path, dirfd);
    if (int error = parsed.getError()) {
      return error;
    }
    auto& [parent, name] = parsed.getParentChild();
    auto child = parent->locked().getChild(std::string(name));
    auto link = child ? child->dynCast<wasmfs::Symlink>() : nullptr;
    if (!link) {
      return 0;
    }
    auto target = link->getTarget();
    std::string directory;
    if (target.empty() || target[0] != '/') {
      if (int error = fullPathOf(parent, directory)) {
        return error;
      }
      directory += '/';
    }
    path = directory + target;
    dirfd = AT_FDCWD;
  }
  return -ELOOP;
}

bool hasSlash(const char* path) {
  size_t length = strlen(path);
  return length > 0 && path[length - 1] == '/';
}

// What is wrong with a path that has a slash at its end, which WasmFS leaves out: it leads to a directory.
int checkSlash(int dirfd, const char* path) {
  if (!hasSlash(path)) {
    return 0;
  }
  auto parsed = wasmfs::path::parseFile(path, dirfd);
  if (int error = parsed.getError()) {
    return error;
  }
  return parsed.getFile()->is<wasmfs::Directory>() ? 0 : -ENOTDIR;
}

std::string withSlash(std::string_view name, std::string_view whole) {
  return std::string(name) + (!whole.empty() && whole.back() == '/' ? "/" : "");
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
int __real___syscall_fstat64(int fd, struct stat* buf);
int __real___syscall_chmod(const char* path, mode_t mode);
int __real___syscall_fchmod(int fd, mode_t mode);
int __real___syscall_fchmodat2(int dirfd, const char* path, mode_t mode, int flags);
int __real___syscall_utimensat(int dirfd, const char* path, const struct timespec times[2], int flags);
int __real___syscall_getcwd(char* buf, size_t size);
int __real___syscall_fcntl64(int fd, int command, ...);
int __real___syscall_getdents64(int fd, void* entries, size_t bytes);
int __real___syscall_unlinkat(int dirfd, const char* path, int flags);
int __real___syscall_truncate64(const char* path, off_t length);
int __real___syscall_readlinkat(int dirfd, const char* path, char* buf, size_t size);
int __real___syscall_dup3(int fd, int target, int flags);
__wasi_errno_t __real___wasi_fd_write(__wasi_fd_t fd, const __wasi_ciovec_t* parts, size_t count, __wasi_size_t* written);
__wasi_errno_t __real___wasi_fd_close(__wasi_fd_t fd);

int __wrap___syscall_openat(int dirfd, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = va_arg(list, int);
  va_end(list);
  int result = checkSlash(dirfd, path);
  if (result != 0) {
    bool isFile = result == -ENOTDIR || (result == -ENOENT && !wasmfs::path::parseParent(path, dirfd).getError());
    return isFile && (flags & O_CREAT) != 0 ? -EISDIR : result;
  }
  call.flags = flags;
  do {
    call.error = 0;
    call.isGone = false;
    result = __real___syscall_openat(dirfd, path, flags, mode);
    // Where it was removed or replaced in between, its name may be another's by now.
  } while (result == -ENOENT && call.isGone);
  call.flags = -1;
  return reasonOf(result, -EIO, dirfd, path);
}

int __wrap___syscall_mknodat(int dirfd, const char* path, mode_t mode, dev_t dev) {
  call.flags = O_CREAT | O_EXCL;
  call.error = 0;
  int result = __real___syscall_mknodat(dirfd, path, mode, dev);
  call.flags = -1;
  return reasonOf(result, -EIO, dirfd, path);
}

int __wrap___syscall_mkdirat(int dirfd, const char* path, mode_t mode) {
  call.error = 0;
  return reasonOf(__real___syscall_mkdirat(dirfd, path, mode), -EIO, dirfd, path);
}

int __wrap___syscall_symlinkat(const char* target, int dirfd, const char* path) {
  if (int error = checkSlash(dirfd, path); error != 0 && error != -ENOTDIR) {
    return error;
  }
  call.error = 0;
  return reasonOf(__real___syscall_symlinkat(target, dirfd, path), -EPERM, dirfd, path);
}

// WasmFS has no hard links; the pool has.
int __wrap___syscall_linkat(int fromDirfd, const char* from, int dirfd, const char* path, int flags) {
  if ((flags & ~AT_SYMLINK_FOLLOW) != 0) {
    return __real___syscall_linkat(fromDirfd, from, dirfd, path, flags);
  }
  std::string existing = from;
  if ((flags & AT_SYMLINK_FOLLOW) != 0) {
    if (int error = follow(fromDirfd, existing)) {
      return error;
    }
  }
  auto source = wasmfs::path::parseParent(existing, fromDirfd);
  if (int error = source.getError()) {
    return error;
  }
  auto target = wasmfs::path::parseParent(path, dirfd);
  if (int error = target.getError()) {
    return error;
  }
  auto& [sourceParent, sourceView] = source.getParentChild();
  auto& [targetParent, targetView] = target.getParentChild();
  if (!PoolBackend::of(sourceParent->getBackend())) {
    return __real___syscall_linkat(fromDirfd, from, dirfd, path, flags);
  }
  if (sourceParent->getBackend() != targetParent->getBackend()) {
    return -EXDEV;
  }
  auto& fromDirectory = static_cast<PoolDirectory&>(*sourceParent);
  auto& toDirectory = static_cast<PoolDirectory&>(*targetParent);
  std::string sourceName = withSlash(sourceView, existing);
  std::string targetName = withSlash(targetView, path);
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
    // Brings its mode up to date.
    (void)locked.getSize();
    if (PoolBackend::isMount(*parent, name)) {
      return -EBUSY;
    }
    if (!(locked.getMode() & 0222)) {
      return -EACCES;
    }
  }
  sourceName = withSlash(sourceName, from);
  targetName = withSlash(targetName, path);
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
  if (hasSlash(path)) {
    if (int error = checkSlash(dirfd, path)) {
      return error;
    }
    flags &= ~AT_SYMLINK_NOFOLLOW;
  }
  beginStat();
  return statFound(__real___syscall_newfstatat(dirfd, path, buf, flags), buf);
}

int __wrap___syscall_stat64(const char* path, struct stat* buf) {
  return __wrap___syscall_newfstatat(AT_FDCWD, path, buf, 0);
}

int __wrap___syscall_lstat64(const char* path, struct stat* buf) {
  return __wrap___syscall_newfstatat(AT_FDCWD, path, buf, AT_SYMLINK_NOFOLLOW);
}

int __wrap___syscall_fstat64(int fd, struct stat* buf) {
  beginStat();
  return statFound(__real___syscall_fstat64(fd, buf), buf);
}

int __wrap___syscall_unlinkat(int dirfd, const char* path, int flags) {
  if (hasSlash(path) && (flags & AT_REMOVEDIR) == 0) {
    auto parsed = wasmfs::path::parseFile(path, dirfd, wasmfs::path::NoFollowLinks);
    if (!parsed.getError() && !parsed.getFile()->is<wasmfs::Directory>()) {
      return -ENOTDIR;
    }
  }
  return __real___syscall_unlinkat(dirfd, path, flags);
}

int __wrap___syscall_truncate64(const char* path, off_t length) {
  int error = checkSlash(AT_FDCWD, path);
  return error ? error : __real___syscall_truncate64(path, length);
}

int __wrap___syscall_readlinkat(int dirfd, const char* path, char* buf, size_t size) {
  if (hasSlash(path)) {
    int error = checkSlash(dirfd, path);
    return error ? error : -EINVAL;
  }
  return __real___syscall_readlinkat(dirfd, path, buf, size);
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
  if (!PoolBackend::of(cwd->getBackend()) || !buf || size == 0) {
    return __real___syscall_getcwd(buf, size);
  }
  std::string result;
  if (int error = fullPathOf(cwd, result)) {
    return error;
  }
  if (result.empty()) {
    result = "/";
  }
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
  auto noteLock = [&] {
    if (command != F_GETLK && lock->l_type != F_UNLCK) {
      auto file = openFile->locked().getFile();
      auto locked = file->locked();
      static_cast<PoolFile&>(*file).noteLock();
    }
  };
  noteLock();
  // Waits without any lock of WasmFS.
  void* pointer = &absolute;
  int result = extmemfs_wasmfs_lock(descriptor, command, &pointer);
  // Once more: a descriptor may have been closed meanwhile.
  noteLock();
  if (result == 0 && command == F_GETLK) {
    if (absolute.l_type == F_UNLCK) {
      lock->l_type = F_UNLCK;
    } else {
      *lock = absolute;
    }
  }
  return result;
}

// A write of nothing does nothing, where WasmFS moves one that appends to the end.
__wasi_errno_t __wrap___wasi_fd_write(__wasi_fd_t fd, const __wasi_ciovec_t* parts, size_t count, __wasi_size_t* written) {
  for (size_t i = 0; i < count; i++) {
    if (parts[i].buf_len != 0) {
      return __real___wasi_fd_write(fd, parts, count, written);
    }
  }
  auto openFile = openFileOf(fd);
  if (openFile) {
    auto locked = openFile->locked();
    auto file = locked.getFile();
    if (file->is<DataFile>() && PoolBackend::of(file->getBackend()) && (locked.getFlags() & O_ACCMODE) != O_RDONLY) {
      *written = 0;
      return __WASI_ERRNO_SUCCESS;
    }
  }
  return __real___wasi_fd_write(fd, parts, count, written);
}

__wasi_errno_t __wrap___wasi_fd_close(__wasi_fd_t fd) {
  auto openFile = openFileOf(fd);
  auto result = __real___wasi_fd_close(fd);
  if (openFile) {
    releaseLocks(*openFile);
  }
  return result;
}

// WasmFS forgets to close what the descriptor stood for.
int __wrap___syscall_dup3(int fd, int target, int flags) {
  std::shared_ptr<OpenFileState> old;
  std::shared_ptr<DataFile> unused;
  int result;
  {
    auto table = wasmFS.getFileTable().locked();
    old = table.getEntry(target);
    result = __real___syscall_dup3(fd, target, flags);
    if (result >= 0 && old && usesOf(*old) == 0) {
      unused = old->locked().getFile()->dynCast<DataFile>();
    }
  }
  if (result < 0 || !old) {
    return result;
  }
  if (unused) {
    (void)unused->locked().close();
  }
  releaseLocks(*old);
  return result;
}

// WasmFS has numbers of its own for "." and "..".
int __wrap___syscall_getdents64(int fd, void* entries, size_t bytes) {
  int result = __real___syscall_getdents64(fd, entries, bytes);
  auto file = result > 0 ? fileOf(fd) : nullptr;
  if (!file || !PoolBackend::of(file->getBackend())) {
    return result;
  }
  auto* entry = static_cast<struct dirent*>(entries);
  for (int at = 0; at < result && at < 2 * (int)sizeof *entry; at += sizeof *entry, entry++) {
    if (strcmp(entry->d_name, ".") == 0) {
      entry->d_ino = inodeOf(*file).first;
    } else if (strcmp(entry->d_name, "..") == 0) {
      auto parent = file->locked().getParent();
      if (parent && PoolBackend::of(parent->getBackend())) {
        entry->d_ino = inodeOf(*parent).first;
      }
    }
  }
  return result;
}

// Emscripten's C library declares it and has none.
int flock(int fd, int operation) {
  auto openFile = openFileOf(fd);
  auto file = openFile ? openFile->locked().getFile() : nullptr;
  int result = !file ? -EBADF : -EINVAL;
  if (file && PoolBackend::of(file->getBackend())) {
    int descriptor = -1;
    {
      std::lock_guard<std::mutex> lock(flockMutex);
      if (auto at = flockDescriptors.find(openFile.get()); at != flockDescriptors.end()) {
        descriptor = at->second;
      } else {
        auto [inode, generation] = inodeOf(*file);
        descriptor = extmemfs_wasmfs_open_lock(inode, generation);
        if (descriptor >= 0) {
          flockDescriptors[openFile.get()] = descriptor;
          flockCount++;
        }
      }
    }
    // Waits without any lock of WasmFS.
    result = descriptor < 0 ? descriptor : extmemfs_wasmfs_flock(descriptor, operation);
    if (isClosed(*openFile)) {
      releaseLocks(*openFile);
      result = -EBADF;
    }
  }
  if (result < 0) {
    errno = -result;
    return -1;
  }
  return 0;
}

} // extern "C"
