// The WasmFS backend: see pool_files.h.

#include "../include/extmemfs.h"
#include "pool_files.h"

#include <algorithm>
#include <errno.h>
#include <fcntl.h>
#include <wasmfs/memory_backend.h>
#include <wasmfs/special_files.h>
#include <wasmfs/wasmfs.h>

namespace extmemfs {

thread_local Call call;

namespace {

// What extmemfs_wasmfs_change is to change.
constexpr int CHANGE_MODE = 1;
constexpr int CHANGE_ATIME = 2;
constexpr int CHANGE_MTIME = 4;
constexpr size_t LIST_BYTES = 32768;
constexpr size_t TARGET_BYTES = 4096;
constexpr int DEPTH_LIMIT = 4096;

// All backends; none is ever removed.
std::atomic<PoolBackend*> backends;

} // namespace

// WasmFS keeps mount points in a private map of the directory's object. An explicit instantiation may name it.
template<auto Member> struct Mounts {
  friend bool hasMounts(Directory& directory) { return !(directory.*Member).empty(); }
  friend std::string mountName(Directory& directory, File& mounted) {
    for (auto& [name, entry] : directory.*Member) {
      if (entry.file.get() == &mounted) {
        return name;
      }
    }
    return "";
  }
  friend bool hasMount(Directory& directory, const std::string& name) { return (directory.*Member).count(name) != 0; }
};

bool hasMounts(Directory& directory);
bool hasMount(Directory& directory, const std::string& name);
std::string mountName(Directory& directory, File& mounted);
template struct Mounts<&Directory::dcache>;

//
// Pooled
//

template<class Base> Pooled<Base>::~Pooled() {
  settle();
  static_cast<PoolBackend*>(this->getBackend())->forget(this);
}

template<class Base> void Pooled<Base>::refresh(const Node& node) {
  savedMode = this->mode = node.mode;
  savedAtime = this->atime = node.atime;
  savedMtime = this->mtime = node.mtime;
  this->ctime = node.ctime;
  touchedAt = 0;
}

template<class Base> void Pooled<Base>::touch() {
  if (touchedAt == 0) {
    touchedAt = emscripten_date_now();
  }
}

template<class Base> bool Pooled<Base>::settle() {
  int what = 0;
  if (this->mode != savedMode) {
    what |= CHANGE_MODE;
  }
  if (this->atime != savedAtime) {
    what |= CHANGE_ATIME;
  }
  if (this->mtime != savedMtime &&
      !(touchedAt != 0 && this->mtime >= touchedAt && this->mtime <= emscripten_date_now())) {
    what |= CHANGE_MTIME;
  }
  if (what == 0) {
    return false;
  }
  (void)extmemfs_wasmfs_change(inode, generation, what, this->mode, this->atime, this->mtime);
  savedMode = this->mode;
  savedAtime = this->atime;
  savedMtime = this->mtime;
  return true;
}

template<class Base> off_t Pooled<Base>::update() {
  if (!settle() && call.isFresh && call.inode == inode && call.generation == generation) {
    // Looked up by this very call.
    call.isFresh = false;
  } else if (int error = extmemfs_wasmfs_stat(inode, generation, &call.node)) {
    return error;
  }
  refresh(call.node);
  call.isFilled = true;
  return call.node.size;
}

//
// PoolFile
//

PoolFile::~PoolFile() {
  if (descriptor >= 0) {
    (void)extmemfs_wasmfs_close(descriptor);
  }
}

void PoolFile::take(int created) {
  if (descriptor >= 0) {
    (void)extmemfs_wasmfs_close(created);
  } else {
    descriptor = created;
  }
}

int PoolFile::open(wasmfs::oflags_t) {
  if (descriptor < 0) {
    descriptor = extmemfs_wasmfs_open(inode, generation, mode);
    if (descriptor < 0) {
      int error = descriptor;
      descriptor = -1;
      call.isGone = error == -ENOENT;
      return error;
    }
  }
  if (opens++ == 0) {
    appends = false;
  }
  if (call.flags != -1 && (call.flags & O_APPEND) != 0) {
    appends = true;
  }
  askedSize = -1;
  return 0;
}

void PoolFile::releaseLocks() {
  if (hasLocks && descriptor >= 0) {
    (void)extmemfs_wasmfs_release_locks(descriptor);
  }
  hasLocks = false;
}

int PoolFile::close() {
  settle();
  if (--opens > 0) {
    return 0;
  }
  int closing = descriptor;
  descriptor = -1;
  return extmemfs_wasmfs_close(closing);
}

ssize_t PoolFile::read(uint8_t* buf, size_t len, off_t offset) {
  askedSize = -1;
  // A file that is preloaded is not opened.
  return descriptor < 0 ? extmemfs_wasmfs_read(inode, generation, buf, len, offset)
                        : extmemfs_pread(descriptor, buf, len, offset);
}

ssize_t PoolFile::write(const uint8_t* buf, size_t len, off_t offset) {
  touch();
  bool isAppended = appends && offset == askedSize;
  ssize_t written = isAppended || descriptor < 0 ? -EBADF : extmemfs_pwrite(descriptor, buf, len, offset);
  if (written == -EBADF) {
    // Not opened, or not for writing: this one knows why.
    written = extmemfs_wasmfs_write(inode, generation, descriptor, buf, len, isAppended ? -1 : offset);
  }
  // A further buffer of the same call comes behind.
  askedSize = isAppended && written > 0 ? offset + written : -1;
  return written;
}

int PoolFile::setSize(off_t size) {
  touch();
  askedSize = -1;
  int error = extmemfs_wasmfs_truncate(inode, generation, size);
  // Removed since it was looked up.
  return error == -EBADF ? -ENOENT : error;
}

off_t PoolFile::getSize() {
  // For stat() its mode and times are read next; otherwise nothing but the size is wanted, or it is not known.
  askedSize = update();
  return askedSize;
}

//
// PoolSymlink
//

std::string PoolSymlink::getTarget() const {
  char target[TARGET_BYTES];
  int bytes = extmemfs_wasmfs_read_link(inode, generation, target, sizeof target);
  return bytes < 0 ? std::string() : std::string(target, bytes);
}

//
// PoolDirectory
//

PoolBackend& PoolDirectory::pool() { return *static_cast<PoolBackend*>(getBackend()); }

void PoolDirectory::adopt(std::shared_ptr<PoolDirectory> parent) {
  auto locked = this->locked();
  locked.setParent(parent);
  // What it held goes once the lock over the tree is free.
  std::lock_guard<std::mutex> lock(pool().treeMutex);
  std::swap(up, parent);
}

void PoolDirectory::tryAdopt(std::shared_ptr<PoolDirectory> parent) {
  if (mutex.try_lock()) {
    adopt(parent);
    mutex.unlock();
  }
}

void PoolDirectory::orphan() {
  if (!isRoot) {
    adopt(nullptr);
  }
}

void PoolDirectory::follow(int32_t parentInode) {
  // 0: it has been removed.
  if (isRoot || parentInode == 0) {
    return;
  }
  {
    std::lock_guard<std::mutex> lock(pool().treeMutex);
    if (up && up->inode == parentInode) {
      return;
    }
  }
  pool().relocate(*this);
}

std::shared_ptr<File> PoolDirectory::getChild(const std::string& name) {
  Node own;
  Node& node = call.inStat ? call.node : own;
  call.isFresh = false;
  if (int error = extmemfs_wasmfs_look_up(inode, generation, name.data(), name.size(), &node)) {
    call.error = error;
    call.backend = nullptr;
    follow(node.directoryParent);
    pool().keep(self());
    return nullptr;
  }
  call.backend = &pool();
  call.inode = node.inode;
  call.generation = node.generation;
  call.isFresh = call.inStat;
  follow(node.directoryParent);
  if (mode == savedMode) {
    savedMode = mode = node.directoryMode;
  }
  return pool().fileOf(node, this);
}

std::shared_ptr<DataFile> PoolDirectory::insertDataFile(const std::string& name, mode_t mode) {
  for (;;) {
    Node node;
    int error = extmemfs_wasmfs_create(inode, generation, name.data(), name.size(), mode, &node);
    if (error == 0) {
      touch();
      auto created = std::static_pointer_cast<PoolFile>(pool().fileOf(node, this));
      created->take(node.descriptor);
      return created;
    }
    call.error = error;
    // Another agent was first. Whether the file was to be the caller's alone is known only where the call was seen.
    bool isExclusive = call.flags != -1 && (call.flags & O_EXCL) != 0;
    if (error != -EEXIST || isExclusive) {
      return nullptr;
    }
    auto found = getChild(name);
    if (!found) {
      continue;
    }
    auto file = found->dynCast<DataFile>();
    if (!file) {
      call.error = found->is<Directory>() ? -EISDIR : -EEXIST;
      return nullptr;
    }
    if (call.flags != -1 && (call.flags & O_TRUNC) != 0) {
      (void)file->locked().setSize(0);
    }
    return file;
  }
}

std::shared_ptr<Directory> PoolDirectory::insertDirectory(const std::string& name, mode_t mode) {
  Node node;
  if (int error = extmemfs_wasmfs_make_directory(inode, generation, name.data(), name.size(), mode, &node)) {
    call.error = error;
    return nullptr;
  }
  touch();
  return std::static_pointer_cast<Directory>(pool().fileOf(node, this));
}

std::shared_ptr<Symlink> PoolDirectory::insertSymlink(const std::string& name, const std::string& target) {
  Node node;
  if (int error = extmemfs_wasmfs_make_symlink(
        inode, generation, name.data(), name.size(), target.data(), target.size(), &node)) {
    call.error = error;
    return nullptr;
  }
  touch();
  return std::static_pointer_cast<Symlink>(pool().fileOf(node, this));
}

int PoolDirectory::insertMove(const std::string& name, std::shared_ptr<File> file) {
  if (file->getBackend() != getBackend()) {
    return -EBUSY;
  }
  int32_t child;
  int32_t childGeneration;
  auto directory = std::static_pointer_cast<PoolDirectory>(file->dynCast<Directory>());
  if (directory) {
    directory->settle();
    child = directory->inode;
    childGeneration = directory->generation;
  } else if (file->is<DataFile>()) {
    auto& moved = static_cast<PoolFile&>(*file);
    child = moved.inode;
    childGeneration = moved.generation;
  } else {
    auto& moved = static_cast<PoolSymlink&>(*file);
    child = moved.inode;
    childGeneration = moved.generation;
  }
  Node victim;
  if (int error =
        extmemfs_wasmfs_move(child, childGeneration, inode, generation, name.data(), name.size(), &victim)) {
    return error;
  }
  auto from = file->locked().getParent();
  if (from && from->getBackend() == getBackend()) {
    std::static_pointer_cast<PoolDirectory>(from)->touch();
  }
  touch();
  if (victim.inode != 0) {
    if (auto gone = pool().find(victim.inode, victim.generation); gone && gone->is<Directory>()) {
      static_cast<PoolDirectory&>(*gone).orphan();
    }
  }
  if (directory) {
    directory->adopt(self());
  }
  return 0;
}

int PoolDirectory::removeChild(const std::string& name) {
  Node gone;
  if (int error = extmemfs_wasmfs_remove(inode, generation, name.data(), name.size(), &gone)) {
    return error;
  }
  touch();
  if (auto file = pool().find(gone.inode, gone.generation); file && file->is<Directory>()) {
    static_cast<PoolDirectory&>(*file).orphan();
  }
  return 0;
}

off_t PoolDirectory::getSize() {
  off_t size = update();
  if (size != -ENOENT) {
    return size;
  }
  // It has been removed, and somebody has it open.
  call.node = Node();
  call.node.inode = inode;
  call.node.generation = generation;
  call.isFilled = true;
  return 0;
}

ssize_t PoolDirectory::getNumEntries() { return extmemfs_wasmfs_count(inode, generation); }

Directory::MaybeEntries PoolDirectory::getEntries() {
  std::vector<Directory::Entry> entries;
  if (int count = extmemfs_wasmfs_count(inode, generation); count > 0) {
    entries.reserve(count);
  }
  auto buffer = std::make_unique<uint32_t[]>(LIST_BYTES / 4);
  double next = 0;
  do {
    int bytes = extmemfs_wasmfs_list(inode, generation, next, buffer.get(), LIST_BYTES, &next);
    if (bytes < 0) {
      return {bytes};
    }
    auto* end = reinterpret_cast<const char*>(buffer.get()) + bytes;
    for (auto* at = reinterpret_cast<const char*>(buffer.get()); at < end;) {
      auto* head = reinterpret_cast<const uint32_t*>(at);
      uint32_t type = head[1] & 255;
      size_t length = head[1] >> 8;
      auto kind = type == S_IFDIR >> 12   ? File::DirectoryKind
                  : type == S_IFLNK >> 12 ? File::SymlinkKind
                                          : File::DataFileKind;
      entries.push_back({std::string(at + 8, length), kind, ino_t(head[0])});
      at += (8 + length + 3) & ~size_t(3);
    }
  } while (next != 0);
  return {std::move(entries)};
}

std::string PoolDirectory::getName(std::shared_ptr<File> file) {
  if (file->getBackend() != getBackend()) {
    return "";
  }
  int32_t child = file->is<Directory>()  ? static_cast<PoolDirectory&>(*file).inode
                  : file->is<DataFile>() ? static_cast<PoolFile&>(*file).inode
                                         : static_cast<PoolSymlink&>(*file).inode;
  char name[256];
  int bytes = extmemfs_wasmfs_name_of(inode, generation, child, name, sizeof name);
  return bytes <= 0 ? std::string() : std::string(name, bytes);
}

//
// PoolBackend
//

PoolBackend::PoolBackend() : nextBackend(backends) {
  while (!backends.compare_exchange_weak(nextBackend, this)) {
  }
}

std::string PoolBackend::nameOfMount(Directory& directory, File& mounted) { return mountName(directory, mounted); }

bool PoolBackend::isMount(Directory& directory, const std::string& name) { return hasMount(directory, name); }

void PoolBackend::noteRename(const Node& moved, const Node& replaced, std::shared_ptr<PoolDirectory> directory) {
  if (auto file = find(moved.inode, moved.generation); file && file->is<Directory>()) {
    static_cast<PoolDirectory&>(*file).adopt(directory);
  }
  if (replaced.inode == 0) {
    return;
  }
  if (auto file = find(replaced.inode, replaced.generation); file && file->is<Directory>()) {
    static_cast<PoolDirectory&>(*file).orphan();
  }
}

PoolBackend* PoolBackend::of(wasmfs::backend_t backend) {
  for (PoolBackend* at = backends; at; at = at->nextBackend) {
    if (at == backend) {
      return at;
    }
  }
  return nullptr;
}

std::shared_ptr<Directory> PoolBackend::createDirectory(mode_t) {
  Node node;
  if (extmemfs_wasmfs_root(&node)) {
    return nullptr;
  }
  auto directory = std::make_shared<PoolDirectory>(node, this, true);
  if (root.expired()) {
    root = directory;
  }
  return directory;
}

void PoolBackend::populateRoot(Directory::Handle& lockedRoot) {
  auto devices = wasmfs::createMemoryBackend()->createDirectory(0555);
  if (lockedRoot.mountChild("dev", devices)) {
    auto lockedDevices = devices->locked();
    lockedDevices.mountChild("null", wasmfs::SpecialFiles::getNull());
    lockedDevices.mountChild("stdin", wasmfs::SpecialFiles::getStdin());
    lockedDevices.mountChild("stdout", wasmfs::SpecialFiles::getStdout());
    lockedDevices.mountChild("stderr", wasmfs::SpecialFiles::getStderr());
    lockedDevices.mountChild("random", wasmfs::SpecialFiles::getRandom());
    lockedDevices.mountChild("urandom", wasmfs::SpecialFiles::getURandom());
  }
  // It is there already in a pool that another program has used.
  if (!lockedRoot.getChild("tmp")) {
    (void)lockedRoot.insertDirectory("tmp", 01777);
  }
}

std::shared_ptr<File> PoolBackend::find(int32_t inode, int32_t generation) {
  std::lock_guard<std::mutex> lock(mutex);
  for (Link* link = *bucketOf(inode); link; link = link->next) {
    if (link->inode == inode && link->generation == generation) {
      // One that is going has no owner any more, but stands here until it has gone.
      if (auto file = link->file->weak_from_this().lock()) {
        return file;
      }
    }
  }
  return nullptr;
}

std::shared_ptr<File> PoolBackend::fileOf(const Node& node, PoolDirectory* directory) {
  bool isDirectory = S_ISDIR(node.mode);
  std::shared_ptr<File> file;
  if (isDirectory) {
    if (auto top = root.lock(); top && top->inode == node.inode) {
      return top;
    }
  }
  bool isNew = false;
  {
    std::lock_guard<std::mutex> lock(mutex);
    Link** bucket = bucketOf(node.inode);
    for (Link* link = *bucket; link && !file; link = link->next) {
      if (link->inode == node.inode && link->generation == node.generation) {
        file = link->file->weak_from_this().lock();
      }
    }
    if (!file) {
      Link* link;
      if (isDirectory) {
        auto made = std::make_shared<PoolDirectory>(node, this, false);
        link = made.get();
        file = made;
      } else if (S_ISLNK(node.mode)) {
        auto made = std::make_shared<PoolSymlink>(node, this);
        link = made.get();
        file = made;
      } else {
        auto made = std::make_shared<PoolFile>(node, this);
        link = made.get();
        file = made;
      }
      link->next = *bucket;
      *bucket = link;
      isNew = true;
    }
  }
  if (isDirectory) {
    auto& child = static_cast<PoolDirectory&>(*file);
    if (directory) {
      bool isSame;
      {
        std::lock_guard<std::mutex> lock(treeMutex);
        isSame = child.up.get() == directory;
      }
      if (!isSame) {
        if (!isNew && isAbove(&child, directory)) {
          relocate(*directory);
        }
        child.adopt(directory->self());
      }
    }
    // An ancestor's lock must not be waited for: it comes before its descendants'.
    if (!isNew && directory) {
      auto locked = child.locked();
      if (child.settle()) {
        call.isFresh = false;
      } else if (child.touchedAt == 0) {
        child.refresh(node);
      }
    }
    return file;
  }
  if (isNew) {
    return file;
  }
  auto locked = file->locked();
  // What it is a child of is not kept: a file may have several names.
  if (auto parent = locked.getParent(); parent && parent.get() != directory) {
    locked.setParent(nullptr);
  }
  if (settle(*file)) {
    call.isFresh = false;
  } else if (file->is<DataFile>()) {
    auto& data = static_cast<PoolFile&>(*file);
    if (data.savedMode != node.mode) {
      data.savedMode = data.mode = node.mode;
    }
  }
  return file;
}

bool PoolBackend::settle(File& file) {
  switch (file.kind) {
    case File::DataFileKind:
      return static_cast<PoolFile&>(file).settle();
    case File::DirectoryKind:
      return static_cast<PoolDirectory&>(file).settle();
    default:
      return static_cast<PoolSymlink&>(file).settle();
  }
}

void PoolBackend::forget(Link* link) {
  std::lock_guard<std::mutex> lock(mutex);
  for (Link** at = bucketOf(link->inode); *at; at = &(*at)->next) {
    if (*at == link) {
      *at = link->next;
      return;
    }
  }
}

void PoolBackend::keep(std::shared_ptr<PoolDirectory> directory) {
  // What is let go goes once the lock is free.
  std::shared_ptr<PoolDirectory> old;
  std::lock_guard<std::mutex> lock(mutex);
  if (directory->isRoot || kept[(nextKept + KEPT - 1) % KEPT] == directory) {
    return;
  }
  for (int tries = 0; tries < KEPT; tries++) {
    auto& place = kept[nextKept];
    nextKept = (nextKept + 1) % KEPT;
    // Another thread may hold its lock and wait for one that this thread holds: then it stays for another round.
    if (place && !place->mutex.try_lock()) {
      continue;
    }
    if (place) {
      if (hasMounts(*place) && std::find(pinned.begin(), pinned.end(), place) == pinned.end()) {
        pinned.push_back(place);
      }
      place->mutex.unlock();
    }
    old = std::move(place);
    place = std::move(directory);
    return;
  }
}

bool PoolBackend::isAbove(PoolDirectory* ancestor, PoolDirectory* directory) {
  std::lock_guard<std::mutex> lock(treeMutex);
  int depth = 0;
  for (auto* at = directory; at; at = at->up.get()) {
    if (at == ancestor || ++depth > DEPTH_LIMIT) {
      return true;
    }
  }
  return false;
}

void PoolBackend::relocate(PoolDirectory& directory) {
  auto child = directory.self();
  for (int depth = 0; !child->isRoot && depth < DEPTH_LIMIT; depth++) {
    Node node;
    if (extmemfs_wasmfs_parent(child->inode, child->generation, &node)) {
      return;
    }
    auto parent = std::static_pointer_cast<PoolDirectory>(fileOf(node, nullptr));
    child->tryAdopt(parent);
    child = parent;
  }
}

template class Pooled<DataFile>;
template class Pooled<Directory>;
template class Pooled<Symlink>;

} // namespace extmemfs

namespace wasmfs {

extern "C" backend_t extmemfs_create_backend(void) {
  return wasmFS.addBackend(std::make_unique<extmemfs::PoolBackend>());
}

} // namespace wasmfs
