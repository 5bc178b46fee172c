// WasmFS's files, directories and symbolic links as they stand for those of the pool. An object says which inode it is for,
// and its generation, and keeps nothing that another agent can make stale: names, sizes and contents are asked for each
// time; what WasmFS keeps in the object itself (mode, times, parent) is brought up to date whenever WasmFS asks anything.
//
// Locks: an object's own (WasmFS takes it before each call, a directory's before its children's), then the backend's.

#pragma once

#include <wasmfs/backend.h>
#include <wasmfs/file.h>
#include <memory>
#include <mutex>
#include <vector>

namespace extmemfs {

using wasmfs::DataFile;
using wasmfs::Directory;
using wasmfs::File;
using wasmfs::Symlink;

// What the library tells of an inode. Its fields are written by src/adapters/emscripten/wasmfs.ts.
struct Node {
  int32_t inode = 0;
  int32_t generation = 0;
  uint32_t mode = 0;
  int32_t nlink = 0;
  // Of the directory that was looked in.
  uint32_t directoryMode = 0;
  int32_t directoryParent = 0;
  double size = 0;
  // In milliseconds since the epoch.
  double atime = 0;
  double mtime = 0;
  double ctime = 0;
  double allocated = 0;
  int32_t descriptor = -1;
  int32_t reserved[3] = {};
};
static_assert(sizeof(Node) == 80);

class PoolBackend;
class PoolDirectory;

// What all three kinds have: which inode they are for, and their place in the backend's table.
struct Link {
  const int32_t inode;
  const int32_t generation;
  File* const file;
  Link* next = nullptr;

  Link(const Node& node, File* file) : inode(node.inode), generation(node.generation), file(file) {}
};

// What a thread's system call in progress knows that WasmFS does not pass on: see extmemfs_calls.cpp.
struct Call {
  // Flags of the open in progress; -1: unknown.
  int flags = -1;
  // Why the last look-up or insertion failed: WasmFS has one error number for all of them.
  int error = 0;
  // Whether what an open found had been removed before it was opened.
  bool isGone = false;
  // The inode that was found last.
  PoolBackend* backend = nullptr;
  int32_t inode = 0;
  int32_t generation = 0;
  // While a `stat` is in progress: what is known of that inode, and of the one whose size was asked for.
  bool inStat = false;
  bool isFresh = false;
  bool isFilled = false;
  Node node;
};
extern thread_local Call call;

// Bookkeeping between an object's fields, which WasmFS changes without telling, and the inode.
template<class Base> class Pooled : public Base, public Link {
public:
  // Writes what WasmFS has changed in the object to the inode: whatever differs from what the inode said last. Its lock is
  // held, or it is going. Returns whether there was something.
  bool settle();

protected:
  template<class... Args>
  Pooled(const Node& node, Args... args) : Base(args...), Link(node, this) {
    refresh(node);
  }
  ~Pooled();

  void refresh(const Node& node);
  // Notes that WasmFS is going to set the modification time to now: the pool does so itself.
  void touch();
  // Asks the pool, and brings the fields up to date. Returns the size or a negative error number.
  off_t update();

  friend class PoolBackend;

  // What the inode said last.
  mode_t savedMode;
  double savedAtime;
  double savedMtime;
  // When WasmFS may have begun to set the modification time by itself; 0: it has not.
  double touchedAt = 0;
};

class PoolFile final : public Pooled<DataFile> {
public:
  PoolFile(const Node& node, wasmfs::backend_t backend) : Pooled(node, node.mode & 07777, backend) {}
  ~PoolFile();

  // The descriptor of the process that stands for the file while it is open, or -1.
  int getDescriptor() const { return descriptor; }
  // One of its descriptors appends from now on.
  void noteAppending() { appends = true; }
  // The process locks ranges of it, which closing any of its descriptors gives back.
  void noteLock() { hasLocks = true; }
  void releaseLocks();
  // Takes the descriptor under which it was created.
  void take(int created);

protected:
  int open(wasmfs::oflags_t flags) override;
  int close() override;
  ssize_t read(uint8_t* buf, size_t len, off_t offset) override;
  ssize_t write(const uint8_t* buf, size_t len, off_t offset) override;
  int setSize(off_t size) override;
  int flush() override { return 0; }
  off_t getSize() override;

private:
  int descriptor = -1;
  int opens = 0;
  // Whether it was opened for appending since it was open last.
  bool appends = false;
  bool hasLocks = false;
  // The size that WasmFS asked for just now: what it writes there it appends.
  off_t askedSize = -1;
};

class PoolDirectory final : public Pooled<Directory> {
public:
  PoolDirectory(const Node& node, wasmfs::backend_t backend, bool isRoot)
    : Pooled(node, node.mode & 07777, backend), isRoot(isRoot) {}

  const bool isRoot;
  std::shared_ptr<PoolDirectory> self() {
    return std::static_pointer_cast<PoolDirectory>(shared_from_this());
  }
  // Makes a directory its parent, if no other thread is using it; keeps that alive, since WasmFS does not.
  void tryAdopt(std::shared_ptr<PoolDirectory> parent);
  void adopt(std::shared_ptr<PoolDirectory> parent);
  // It has been removed.
  void orphan();

protected:
  std::shared_ptr<File> getChild(const std::string& name) override;
  std::shared_ptr<DataFile> insertDataFile(const std::string& name, mode_t mode) override;
  std::shared_ptr<Directory> insertDirectory(const std::string& name, mode_t mode) override;
  std::shared_ptr<Symlink> insertSymlink(const std::string& name, const std::string& target) override;
  int insertMove(const std::string& name, std::shared_ptr<File> file) override;
  int removeChild(const std::string& name) override;
  ssize_t getNumEntries() override;
  MaybeEntries getEntries() override;
  std::string getName(std::shared_ptr<File> file) override;
  bool maintainsFileIdentity() override { return true; }
  off_t getSize() override;

private:
  PoolBackend& pool();
  // Finds out where it is now, if it is not where it was.
  void follow(int32_t parentInode);

  // The parent; guarded by the backend's lock over the tree.
  std::shared_ptr<PoolDirectory> up;
  friend class PoolBackend;
};

class PoolSymlink final : public Pooled<Symlink> {
public:
  PoolSymlink(const Node& node, wasmfs::backend_t backend) : Pooled(node, backend) {}
  std::string getTarget() const override;

protected:
  off_t getSize() override { return update(); }
};

class PoolBackend final : public wasmfs::Backend {
public:
  std::shared_ptr<DataFile> createFile(mode_t) override { return nullptr; }
  std::shared_ptr<Directory> createDirectory(mode_t mode) override;
  std::shared_ptr<Symlink> createSymlink(std::string) override { return nullptr; }
  void populateRoot(Directory::Handle& root) override;

  // The object of an inode that was found in a directory, or as a directory's parent (nullptr). The same for as long as
  // anybody has it.
  std::shared_ptr<File> fileOf(const Node& node, PoolDirectory* directory);
  // The object of an inode, if anybody has it.
  std::shared_ptr<File> find(int32_t inode, int32_t generation);
  void forget(Link* link);
  // Keeps a directory in which something may be about to be mounted.
  void keep(std::shared_ptr<PoolDirectory> directory);
  // Finds the ancestors of a directory anew.
  void relocate(PoolDirectory& directory);
  std::shared_ptr<PoolDirectory> getRoot() { return root.lock(); }
  // Writes what WasmFS changed in an object of this backend.
  static bool settle(File& file);
  // The name under which something is mounted in a directory, whose lock is held; empty where it is not.
  static std::string nameOfMount(Directory& directory, File& mounted);
  // Whether something is mounted under a name of a directory, whose lock is held.
  static bool isMount(Directory& directory, const std::string& name);
  // What somebody holds of a renamed inode, and of one that it replaced, learns of it.
  void noteRename(const Node& moved, const Node& replaced, std::shared_ptr<PoolDirectory> directory);
  // The backend, if it is one of these.
  static PoolBackend* of(wasmfs::backend_t backend);

  PoolBackend();

  std::mutex treeMutex;

private:
  static constexpr int BUCKETS = 1024;
  static constexpr int KEPT = 16;

  bool isAbove(PoolDirectory* ancestor, PoolDirectory* directory);
  Link** bucketOf(int32_t inode) { return &buckets[inode % BUCKETS]; }

  std::mutex mutex;
  Link* buckets[BUCKETS] = {};
  std::weak_ptr<PoolDirectory> root;
  PoolBackend* nextBackend;
  int nextKept = 0;
  // Directories that were looked in for something that was not there, a moment ago.
  std::shared_ptr<PoolDirectory> kept[KEPT];
  // Directories in which something is mounted: WasmFS remembers that in the object.
  std::vector<std::shared_ptr<PoolDirectory>> pinned;
};

} // namespace extmemfs

extern "C" {

// What the library has: native/wasmfs/library.js. All return negative error numbers.
int extmemfs_wasmfs_root(extmemfs::Node* node);
int extmemfs_wasmfs_look_up(int inode, int generation, const char* name, size_t bytes, extmemfs::Node* node);
int extmemfs_wasmfs_stat(int inode, int generation, extmemfs::Node* node);
int extmemfs_wasmfs_parent(int inode, int generation, extmemfs::Node* node);
double extmemfs_wasmfs_size(int inode, int generation);
int extmemfs_wasmfs_count(int inode, int generation);
int extmemfs_wasmfs_read_link(int inode, int generation, char* target, size_t bytes);
int extmemfs_wasmfs_name_of(int inode, int generation, int child, char* name, size_t bytes);
int extmemfs_wasmfs_path_of(int inode, int generation, char* path, size_t bytes);
int extmemfs_wasmfs_list(int inode, int generation, double cursor, void* entries, size_t bytes, double* next);
int extmemfs_wasmfs_create(
  int inode, int generation, const char* name, size_t bytes, int mode, extmemfs::Node* node);
int extmemfs_wasmfs_make_directory(
  int inode, int generation, const char* name, size_t bytes, int mode, extmemfs::Node* node);
int extmemfs_wasmfs_make_symlink(int inode,
                                 int generation,
                                 const char* name,
                                 size_t bytes,
                                 const char* target,
                                 size_t targetBytes,
                                 extmemfs::Node* node);
int extmemfs_wasmfs_link(int fromInode,
                         int fromGeneration,
                         const char* from,
                         size_t fromBytes,
                         int inode,
                         int generation,
                         const char* name,
                         size_t bytes);
int extmemfs_wasmfs_remove(int inode, int generation, const char* name, size_t bytes, extmemfs::Node* node);
int extmemfs_wasmfs_move(int child,
                         int childGeneration,
                         int inode,
                         int generation,
                         const char* name,
                         size_t bytes,
                         extmemfs::Node* node);
int extmemfs_wasmfs_rename(int fromInode,
                           int fromGeneration,
                           const char* from,
                           size_t fromBytes,
                           int inode,
                           int generation,
                           const char* name,
                           size_t bytes,
                           extmemfs::Node* moved,
                           extmemfs::Node* replaced);
int extmemfs_wasmfs_change(int inode, int generation, int what, int mode, double atime, double mtime);
int extmemfs_wasmfs_truncate(int inode, int generation, double length);
int extmemfs_wasmfs_open(int inode, int generation, int mode);
int extmemfs_wasmfs_open_lock(int inode, int generation);
int extmemfs_wasmfs_release_locks(int descriptor);
int extmemfs_wasmfs_close(int descriptor);
int extmemfs_wasmfs_read(int inode, int generation, void* buffer, size_t bytes, double position);
int extmemfs_wasmfs_write(
  int inode, int generation, int descriptor, const void* buffer, size_t bytes, double position);

int extmemfs_wasmfs_lock(int descriptor, int command, void* varargs);
int extmemfs_wasmfs_flock(int descriptor, int operation);

} // extern "C"
