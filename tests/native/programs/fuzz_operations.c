// What the threads of fuzz.c do: in a directory of their own, compared with the model in their heap; in the shared one,
// what has an invariant whoever comes first.
#include "fuzz.h"
#include <dirent.h>
#include <sys/file.h>

static atomic_int exclusive_steps, owners[TOKENS];
#ifdef WITH_FLOCK
static atomic_int inside;
#endif
atomic_int winners[ROUNDS], attempts[ROUNDS];

static void release(Node *node) {
  if (--node->uses > 0) return;
  free(node->data);
  free(node);
}

static void resize(Node *node, int size) {
  if (size > node->size) memset(node->data + node->size, 0, size - node->size);
  node->size = size;
}

static Descriptor *pick_open(Thread *t) {
  Descriptor *d = &t->open[below(t, DESCRIPTORS)];
  return d->node == NULL ? NULL : d;
}

static void fill(Thread *t, int count) {
  for (int i = 0; i < count; i++) t->buffer[i] = (unsigned char)(below(t, 255) + 1);
}

static void do_open(Thread *t) {
  Descriptor *d = &t->open[below(t, DESCRIPTORS)];
  if (d->node != NULL) return;
  int name = below(t, NAMES);
  char path[32];
  path_of(path, t, name);
  Node *node = t->names[name];
  static const int access_modes[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
  int access = access_modes[below(t, 4)];
  int flags = access;
  if (below(t, 2)) flags |= O_CREAT;
  if (below(t, 6) == 0) flags |= O_EXCL & (flags & O_CREAT ? -1 : 0);
  if (below(t, 5) == 0 && access != O_RDONLY) flags |= O_TRUNC;
  if (below(t, 3) == 0) flags |= O_APPEND;
  int expected = node == NULL ? (flags & O_CREAT ? 0 : ENOENT) : (flags & O_EXCL ? EEXIST : 0);
  errno = 0;
  int fd = open(path, flags, 0644);
  if (expected != 0) {
    CHECK(t, fd < 0 && errno == expected, "open %s %x gave %d, expected error %d", path, flags, fd, expected);
    if (fd >= 0) close(fd);
    return;
  }
  CHECK(t, fd >= 0, "open %s %x failed", path, flags);
  if (fd < 0) return;
  if (node == NULL) {
    t->names[name] = node = (Node *)calloc(1, sizeof *node);
    node->data = (unsigned char *)calloc(1, MAX_SIZE);
    node->uses = 1;
  }
  node->uses++;
  if (flags & O_TRUNC) node->size = 0;
  *d = (Descriptor){fd, node, 0, (flags & O_APPEND) != 0, access};
}

static void do_close(Thread *t) {
  Descriptor *d = pick_open(t);
  if (d == NULL) return;
  CHECK(t, close(d->fd) == 0, "close failed");
  release(d->node);
  d->node = NULL;
}

static void do_read(Thread *t, int positioned) {
  Descriptor *d = pick_open(t);
  if (d == NULL) return;
  int at = positioned ? (int)below(t, MAX_SIZE) : d->position;
  int count = below(t, 2) ? below(t, 200) : below(t, MAX_SIZE);
  int expected = at >= d->node->size ? 0 : d->node->size - at < count ? d->node->size - at : count;
  // What lies beyond the count must stay as it was.
  memset(t->buffer, 0xee, count + 8);
  ssize_t n = positioned ? pread(d->fd, t->buffer, count, at) : read(d->fd, t->buffer, count);
  if (d->access == O_WRONLY) {
    CHECK(t, n < 0 && errno == EBADF, "read of a write-only file gave %d", (int)n);
    return;
  }
  CHECK(t, n == expected, "read of %d at %d of %d gave %d", count, at, d->node->size, (int)n);
  if (n != expected) return;
  if (memcmp(t->buffer, d->node->data + at, n) != 0) {
    int k = 0;
    while (t->buffer[k] == d->node->data[at + k]) k++;
    fail(t, "read of %d at %d of %d: byte %d is %02x, expected %02x", count, at, d->node->size, k, t->buffer[k],
         d->node->data[at + k]);
  }
  for (int i = (int)n; i < count + 8; i++) {
    if (t->buffer[i] != 0xee) {
      fail(t, "read of %d wrote behind its %d bytes", count, (int)n);
      break;
    }
  }
  if (!positioned) d->position += (int)n;
}

static void do_write(Thread *t, int positioned) {
  Descriptor *d = pick_open(t);
  // Where pwrite() to a file that appends lands, differs between systems.
  if (d == NULL || (positioned && d->append)) return;
  int at = positioned ? (int)below(t, MAX_SIZE - MAX_WRITE) : d->append ? d->node->size : d->position;
  int count = below(t, 2) ? below(t, 200) : below(t, MAX_WRITE);
  // What WasmFS does in a write of nothing is its own affair: see empty_writes in read_write.c.
  if (at + count > MAX_SIZE || count == 0) return;
  fill(t, count);
  ssize_t n = positioned ? pwrite(d->fd, t->buffer, count, at) : write(d->fd, t->buffer, count);
  if (d->access == O_RDONLY) {
    CHECK(t, n < 0 && errno == EBADF, "write to a read-only file gave %d", (int)n);
    return;
  }
  CHECK(t, n == count, "write of %d at %d gave %d", count, at, (int)n);
  if (n != count) return;
  if (at + count > d->node->size) resize(d->node, at + count);
  memcpy(d->node->data + at, t->buffer, count);
  if (!positioned) d->position = at + count;
}

static void do_seek(Thread *t) {
  Descriptor *d = pick_open(t);
  if (d == NULL) return;
  int whence = below(t, 3);
  int base = whence == 0 ? 0 : whence == 1 ? d->position : d->node->size;
  int offset = (int)below(t, MAX_SIZE) - (below(t, 2) ? MAX_SIZE / 2 : 0);
  off_t result = lseek(d->fd, offset, whence == 0 ? SEEK_SET : whence == 1 ? SEEK_CUR : SEEK_END);
  if (base + offset < 0) {
    CHECK(t, result < 0 && errno == EINVAL, "seek to %d gave %lld", base + offset, (long long)result);
    return;
  }
  CHECK(t, result == base + offset, "seek to %d gave %lld", base + offset, (long long)result);
  d->position = base + offset;
}

static void do_truncate(Thread *t) {
  int size = below(t, MAX_SIZE / 2);
  if (below(t, 2)) {
    Descriptor *d = pick_open(t);
    if (d == NULL || d->access == O_RDONLY) return;
    CHECK(t, ftruncate(d->fd, size) == 0, "ftruncate to %d failed", size);
    resize(d->node, size);
    return;
  }
  int name = below(t, NAMES);
  char path[32];
  path_of(path, t, name);
  int result = truncate(path, size);
  if (t->names[name] == NULL) CHECK(t, result < 0 && errno == ENOENT, "truncate of nothing gave %d", result);
  else {
    CHECK(t, result == 0, "truncate to %d failed", size);
    resize(t->names[name], size);
  }
}

static void do_unlink(Thread *t) {
  int name = below(t, NAMES);
  char path[32];
  path_of(path, t, name);
  int result = unlink(path);
  if (t->names[name] == NULL) {
    CHECK(t, result < 0 && errno == ENOENT, "unlink of nothing gave %d", result);
    return;
  }
  CHECK(t, result == 0, "unlink failed");
  release(t->names[name]);
  t->names[name] = NULL;
}

static void do_rename(Thread *t) {
  int from = below(t, NAMES), to = below(t, NAMES);
  char old_path[32], new_path[32];
  path_of(old_path, t, from);
  path_of(new_path, t, to);
  int result = rename(old_path, new_path);
  if (t->names[from] == NULL) {
    CHECK(t, result < 0 && errno == ENOENT, "rename of nothing gave %d", result);
    return;
  }
  CHECK(t, result == 0, "rename %s to %s failed", old_path, new_path);
  if (from == to) return;
  if (t->names[to] != NULL) release(t->names[to]);
  t->names[to] = t->names[from];
  t->names[from] = NULL;
}

static void do_stat(Thread *t) {
  struct stat st;
  int name = below(t, NAMES);
  char path[32];
  path_of(path, t, name);
  int result = stat(path, &st);
  if (t->names[name] == NULL) CHECK(t, result < 0 && errno == ENOENT, "stat of nothing gave %d", result);
  else {
    CHECK(t, result == 0 && st.st_size == t->names[name]->size && S_ISREG(st.st_mode), "stat gave %d, size %lld for %d",
          result, (long long)st.st_size, t->names[name]->size);
  }
  Descriptor *d = pick_open(t);
  if (d == NULL) return;
  CHECK(t, fstat(d->fd, &st) == 0 && st.st_size == d->node->size, "fstat gave size %lld for %d", (long long)st.st_size,
        d->node->size);
}

static void do_list(Thread *t) {
  char path[32];
  sprintf(path, "own%d", t->index);
  DIR *dir = opendir(path);
  CHECK(t, dir != NULL, "opendir failed");
  if (dir == NULL) return;
  int seen[NAMES] = {0}, subdirectory = 0, others = 0;
  struct dirent *entry;
  while ((entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] == 'f') seen[entry->d_name[1] - '0']++;
    else if (strcmp(entry->d_name, "sub") == 0) subdirectory++;
    else if (entry->d_name[0] != '.') others++;
  }
  closedir(dir);
  for (int i = 0; i < NAMES; i++) {
    CHECK(t, seen[i] == (t->names[i] != NULL), "f%d is listed %d times, exists %d", i, seen[i], t->names[i] != NULL);
  }
  CHECK(t, subdirectory == t->subdirectory && others == 0, "sub is listed %d times, others %d", subdirectory, others);
}

static void do_directory(Thread *t) {
  char path[32], inner[40];
  sprintf(path, "own%d/sub", t->index);
  sprintf(inner, "%s/x", path);
  if (t->subdirectory) {
    CHECK(t, mkdir(path, 0755) < 0 && errno == EEXIST, "mkdir over a directory");
    int fd = open(inner, O_CREAT | O_WRONLY, 0644);
    CHECK(t, fd >= 0 && close(fd) == 0, "create in a subdirectory");
    CHECK(t, rmdir(path) < 0 && errno == ENOTEMPTY, "rmdir of a full directory");
    CHECK(t, unlink(inner) == 0 && rmdir(path) == 0, "rmdir failed");
  } else {
    CHECK(t, rmdir(path) < 0 && errno == ENOENT, "rmdir of nothing");
    CHECK(t, mkdir(path, 0755) == 0, "mkdir failed");
  }
  t->subdirectory = !t->subdirectory;
}

// A record says who wrote it, its number and its length; its bytes are all one letter.
static void do_append(Thread *t) {
  char record[260];
  int body = below(t, 200);
  int length = sprintf(record, "<%02d %06d %03d ", t->index, t->records, body);
  memset(record + length, 'a' + t->records % 26, body);
  length += body;
  record[length++] = '>';
  record[length++] = '\n';
  int fd = open("shared/log", O_WRONLY | O_APPEND | O_CREAT, 0644);
  CHECK(t, fd >= 0, "open of the log");
  if (fd < 0) return;
  ssize_t n = write(fd, record, length);
  CHECK(t, n == length, "append of %d gave %d", length, (int)n);
  if (n == length) t->records++;
  close(fd);
}

// Some rounds in a row, so that others who are here at that time want the same files.
static void do_exclusive(Thread *t) {
  for (int i = 0; i < 12; i++) {
    int round = atomic_fetch_add(&exclusive_steps, 1) / thread_count;
    if (round >= ROUNDS) return;
    char path[32];
    sprintf(path, "shared/x%d", round);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd >= 0) {
      CHECK(t, atomic_fetch_add(&winners[round], 1) == 0, "%s was created twice", path);
      close(fd);
    } else CHECK(t, errno == EEXIST, "exclusive creation failed otherwise");
    atomic_fetch_add(&attempts[round], 1);
  }
}

// Whoever renames a token away has it alone.
static void do_take(Thread *t) {
  int token = below(t, TOKENS);
  char path[32], own[32], text[32] = {0}, expected[32];
  sprintf(path, "shared/token%d", token);
  sprintf(own, "shared/taken%d", t->index);
  sprintf(expected, "token %d", token);
  if (rename(path, own) < 0) {
    CHECK(t, errno == ENOENT, "rename of a token failed otherwise");
    return;
  }
  CHECK(t, atomic_fetch_add(&owners[token], 1) == 0, "token %d was taken twice", token);
  int fd = open(own, O_RDONLY);
  CHECK(t, fd >= 0 && read(fd, text, 31) > 0 && strcmp(text, expected) == 0, "token %d says '%s'", token, text);
  if (fd >= 0) close(fd);
  atomic_fetch_sub(&owners[token], 1);
  CHECK(t, rename(own, path) == 0, "token %d cannot be given back", token);
}

// The published file is always there and always whole.
static void do_publish(Thread *t) {
  char own[32];
  sprintf(own, "shared/new%d", t->index);
  memset(t->buffer, 'a' + below(t, 26), PUBLISHED_BYTES);
  int fd = open(own, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  CHECK(t, fd >= 0 && write(fd, t->buffer, PUBLISHED_BYTES) == PUBLISHED_BYTES, "write before publishing");
  if (fd >= 0) close(fd);
  CHECK(t, rename(own, "shared/published") == 0, "publishing failed");
}

static void do_look(Thread *t) {
  int fd = open("shared/published", O_RDONLY);
  CHECK(t, fd >= 0, "the published file is missing");
  if (fd < 0) return;
  ssize_t n = read(fd, t->buffer, PUBLISHED_BYTES + 10);
  CHECK(t, n == PUBLISHED_BYTES, "the published file has %d bytes", (int)n);
  for (int i = 1; i < n; i++) {
    if (t->buffer[i] != t->buffer[0]) {
      fail(t, "the published file is of two: byte %d", i);
      break;
    }
  }
  close(fd);
}

static void do_count(Thread *t) {
#ifdef WITH_FLOCK
  int fd = open("shared/counter", O_RDWR);
  CHECK(t, fd >= 0, "open of the counter");
  if (fd < 0) return;
  CHECK(t, flock(fd, LOCK_EX) == 0, "flock failed");
  CHECK(t, atomic_fetch_add(&inside, 1) == 0, "two hold the lock");
  int value = -1;
  CHECK(t, pread(fd, &value, sizeof value, 0) == sizeof value, "read of the counter");
  value++;
  CHECK(t, pwrite(fd, &value, sizeof value, 0) == sizeof value, "write of the counter");
  t->counted++;
  atomic_fetch_sub(&inside, 1);
  // Closing gives the lock back too.
  if (below(t, 2)) CHECK(t, flock(fd, LOCK_UN) == 0, "unlock failed");
  close(fd);
#else
  (void)t;
#endif
}

static void read_on(Thread *t) { do_read(t, 0); }

static void read_at(Thread *t) { do_read(t, 1); }

static void write_on(Thread *t) { do_write(t, 0); }

static void write_at(Thread *t) { do_write(t, 1); }

const Operation operations[] = {
    {"open", 3, do_open},         {"close", 1, do_close},     {"read", 2, read_on},         {"pread", 1, read_at},
    {"write", 2, write_on},       {"pwrite", 1, write_at},    {"seek", 1, do_seek},         {"truncate", 1, do_truncate},
    {"unlink", 1, do_unlink},     {"rename", 1, do_rename},   {"stat", 1, do_stat},         {"list", 1, do_list},
    {"directory", 1, do_directory}, {"append", 2, do_append}, {"exclusive", 1, do_exclusive}, {"take", 1, do_take},
    {"publish", 1, do_publish},   {"look", 1, do_look},       {"count", 1, do_count},
    {NULL, 0, NULL},
};
