// stat and its kin, modes, owners, times, access, statfs.
#include "steps.h"
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <utime.h>

CASE(stats) {
  struct stat st, other;
  put("a", "hello");
  CALL(stat("a", &st));
  HOLDS(S_ISREG(st.st_mode));
  CALL(st.st_mode & 07777);
  CALL(st.st_size);
  CALL(st.st_nlink);
  HOLDS(st.st_blksize > 0);
  HOLDS(st.st_ino != 0);
  HOLDS(st.st_mtime > 1600000000);
  int fd = TRY(open("a", O_RDONLY));
  CALL(fstat(fd, &other));
  HOLDS(st.st_ino == other.st_ino && st.st_dev == other.st_dev);
  CALL(close(fd));
  put("b", "x");
  CALL(stat("b", &other));
  HOLDS(st.st_ino != other.st_ino);
  CALL(mkdir("d", 0700));
  CALL(stat("d", &st));
  HOLDS(S_ISDIR(st.st_mode));
  CALL(st.st_mode & 07777);
  CALL(stat("d/", &other));
  HOLDS(st.st_ino == other.st_ino);
  CALL(stat("d/.", &other));
  HOLDS(st.st_ino == other.st_ino);
  CALL(stat("d/..", &st));
  CALL(stat(".", &other));
  HOLDS(st.st_ino == other.st_ino);
  CALL(stat("no", &st));
  CALL(stat("", &st));
  CALL(lstat("", &st));
  CALL(stat("a/b", &st));
}

CASE(links_are_not_followed) {
  struct stat st;
  put("a", "hello");
  CALL(symlink("a", "link"));
  CALL(stat("link", &st));
  HOLDS(S_ISREG(st.st_mode));
  CALL(lstat("link", &st));
  HOLDS(S_ISLNK(st.st_mode));
  CALL(st.st_size);
  CALL(symlink("nowhere", "dangling"));
  CALL(stat("dangling", &st));
  CALL(lstat("dangling", &st));
  CALL(mkdir("d", 0755));
  CALL(symlink("d", "dlink"));
  CALL(lstat("dlink", &st));
  HOLDS(S_ISLNK(st.st_mode));
  // A trailing slash asks for the directory.
  CALL(lstat("dlink/", &st));
  HOLDS(S_ISDIR(st.st_mode));
  CALL(lstat("dlink/.", &st));
  HOLDS(S_ISDIR(st.st_mode));
}

CASE(stat_at) {
  struct stat st;
  CALL(mkdir("d", 0755));
  put("d/a", "hello");
  CALL(symlink("a", "d/link"));
  int dir = TRY(open("d", O_RDONLY));
  CALL(fstatat(dir, "a", &st, 0));
  CALL(st.st_size);
  CALL(fstatat(dir, "link", &st, 0));
  HOLDS(S_ISREG(st.st_mode));
  CALL(fstatat(dir, "link", &st, AT_SYMLINK_NOFOLLOW));
  HOLDS(S_ISLNK(st.st_mode));
  CALL(fstatat(dir, "", &st, 0));
  CALL(fstatat(dir, "", &st, AT_EMPTY_PATH));
  HOLDS(S_ISDIR(st.st_mode));
  CALL(fstatat(dir, "no", &st, 0));
  CALL(fstatat(dir, "a", &st, 0x40000000));
  CALL(close(dir));
}

CASE(sizes_of_blocks) {
  struct stat st;
  put("a", "");
  CALL(stat("a", &st));
  CALL(st.st_size);
  CALL(st.st_blocks);
  int fd = TRY(open("a", O_WRONLY));
  char block[4096];
  memset(block, 1, sizeof block);
  for (int i = 0; i < 16; i++) {
    if (write(fd, block, sizeof block) != sizeof block) say("short write");
  }
  CALL(fstat(fd, &st));
  CALL(st.st_size);
  HOLDS(st.st_blocks >= 128);
  CALL(close(fd));
}

CASE(modes) {
  put("a", "abc");
  CALL(chmod("a", 0600));
  show("a");
  CALL(chmod("a", 0));
  show("a");
  CALL(chmod("a", 0777));
  show("a");
  CALL(chmod("a", 04711));
  show("a");
  int fd = TRY(open("a", O_RDONLY));
  CALL(fchmod(fd, 0640));
  show("a");
  CALL(close(fd));
  CALL(chmod("no", 0644));
  CALL(chmod("", 0644));
  CALL(mkdir("d", 0755));
  CALL(chmod("d", 0711));
  show("d");
  CALL(symlink("a", "link"));
  CALL(chmod("link", 0444));
  show("a");
  fd = TRY(open("d", O_RDONLY));
  put("d/b", "b");
  CALL(fchmodat(fd, "b", 0604, 0));
  show("d/b");
  CALL(fchmod(fd, 0700));
  show("d");
  CALL(close(fd));
  CALL(chmod("a", 0644));
  // The type cannot be changed.
  CALL(chmod("a", S_IFDIR | 0755));
  show("a");
}

CASE(owners) {
  put("a", "abc");
  CALL(chown("a", geteuid(), getegid()));
  CALL(chown("a", -1, -1));
  CALL(chown("no", 0, 0));
  CALL(lchown("a", -1, -1));
  int fd = TRY(open("a", O_RDONLY));
  CALL(fchown(fd, -1, -1));
  CALL(close(fd));
  CALL(symlink("nowhere", "dangling"));
  CALL(chown("dangling", -1, -1));
  CALL(lchown("dangling", -1, -1));
  CALL(fchownat(AT_FDCWD, "a", -1, -1, 0));
  CALL(fchownat(AT_FDCWD, "dangling", -1, -1, AT_SYMLINK_NOFOLLOW));
  struct stat st;
  CALL(stat("a", &st));
  HOLDS(st.st_uid == geteuid() && st.st_gid == getegid());
}

static void show_times(const char *path) {
  struct stat st;
  if (lstat(path, &st) < 0) {
    say("times of %s: %s", path, error_name(errno));
    return;
  }
  // Milliseconds: JavaScript hosts keep no more.
  say("times of %s: %lld.%03d %lld.%03d", path, (long long)st.st_atim.tv_sec, (int)(st.st_atim.tv_nsec / 1000000),
      (long long)st.st_mtim.tv_sec, (int)(st.st_mtim.tv_nsec / 1000000));
}

CASE(times) {
  put("a", "abc");
  struct timespec both[2] = {{1000000000, 250000000}, {1100000000, 500000000}};
  CALL(utimensat(AT_FDCWD, "a", both, 0));
  show_times("a");
  int fd = TRY(open("a", O_RDWR));
  both[0].tv_sec = 1200000000;
  both[1].tv_sec = 1300000000;
  CALL(futimens(fd, both));
  show_times("a");
  CALL(close(fd));
  CALL(utimensat(AT_FDCWD, "no", both, 0));
  CALL(utimensat(AT_FDCWD, "a", both, 0x40000000));
  // Before the epoch, and after 32 bits.
  both[0] = (struct timespec){-1000, 0};
  both[1] = (struct timespec){5000000000, 0};
  CALL(utimensat(AT_FDCWD, "a", both, 0));
  show_times("a");
  struct timeval older[2] = {{1000000001, 0}, {1000000002, 0}};
  CALL(utimes("a", older));
  show_times("a");
  struct utimbuf oldest = {1000000003, 1000000004};
  CALL(utime("a", &oldest));
  show_times("a");
}

CASE(times_now_and_omitted) {
  put("a", "abc");
  struct stat st;
  time_t start = time(NULL);
  struct timespec both[2] = {{1000000000, 0}, {1100000000, 0}};
  CALL(utimensat(AT_FDCWD, "a", both, 0));
  both[0].tv_nsec = UTIME_OMIT;
  both[1] = (struct timespec){1200000000, 0};
  CALL(utimensat(AT_FDCWD, "a", both, 0));
  show_times("a");
  both[0] = (struct timespec){1050000000, 0};
  both[1].tv_nsec = UTIME_OMIT;
  CALL(utimensat(AT_FDCWD, "a", both, 0));
  show_times("a");
  both[0].tv_nsec = UTIME_NOW;
  CALL(utimensat(AT_FDCWD, "a", both, 0));
  CALL(stat("a", &st));
  HOLDS(st.st_atime >= start - 1 && st.st_atime <= time(NULL) + 1);
  CALL(st.st_mtime);
  both[0].tv_nsec = UTIME_OMIT;
  both[1].tv_nsec = UTIME_NOW;
  CALL(utimensat(AT_FDCWD, "a", both, 0));
  CALL(stat("a", &st));
  HOLDS(st.st_mtime >= start - 1);
  both[0] = both[1] = (struct timespec){1000000000, 0};
  CALL(utimensat(AT_FDCWD, "a", both, 0));
  CALL(utimensat(AT_FDCWD, "a", NULL, 0));
  CALL(stat("a", &st));
  HOLDS(st.st_mtime >= start - 1 && st.st_atime >= start - 1);
}

CASE(times_of_links) {
  put("a", "abc");
  CALL(symlink("a", "link"));
  struct timespec both[2] = {{1000000000, 0}, {1000000000, 0}};
  CALL(utimensat(AT_FDCWD, "a", both, 0));
  both[0].tv_sec = both[1].tv_sec = 1100000000;
  CALL(utimensat(AT_FDCWD, "link", both, AT_SYMLINK_NOFOLLOW));
  show_times("a");
  show_times("link");
  both[0].tv_sec = both[1].tv_sec = 1200000000;
  CALL(utimensat(AT_FDCWD, "link", both, 0));
  show_times("a");
  struct stat st;
  CALL(lstat("link", &st));
  CALL(st.st_mtime);
}

CASE(times_that_change) {
  struct stat before, after;
  put("a", "abc");
  CALL(mkdir("d", 0755));
  struct timespec both[2] = {{1000000000, 0}, {1000000000, 0}};
  CALL(utimensat(AT_FDCWD, "a", both, 0));
  CALL(utimensat(AT_FDCWD, "d", both, 0));
  int fd = TRY(open("a", O_RDWR));
  CALL(fstat(fd, &before));
  CALL(before.st_mtime);
  char c;
  CALL(read(fd, &c, 1));
  CALL(fstat(fd, &after));
  CALL(after.st_mtime);
  CALL(write(fd, "x", 1));
  CALL(fstat(fd, &after));
  HOLDS(after.st_mtime > before.st_mtime);
  CALL(futimens(fd, both));
  CALL(ftruncate(fd, 1));
  CALL(fstat(fd, &after));
  HOLDS(after.st_mtime > before.st_mtime);
  CALL(futimens(fd, both));
  CALL(fchmod(fd, 0600));
  CALL(fstat(fd, &after));
  CALL(after.st_mtime);
  HOLDS(after.st_ctime > 1600000000);
  CALL(close(fd));
  put("d/new", "");
  CALL(stat("d", &after));
  HOLDS(after.st_mtime > 1600000000);
  CALL(utimensat(AT_FDCWD, "d", both, 0));
  CALL(unlink("d/new"));
  CALL(stat("d", &after));
  HOLDS(after.st_mtime > 1600000000);
}

CASE(accessibility) {
  put("a", "abc");
  CALL(access("a", F_OK));
  CALL(access("a", R_OK));
  CALL(access("a", R_OK | W_OK));
  CALL(access("a", X_OK));
  CALL(chmod("a", 0755));
  CALL(access("a", X_OK));
  CALL(access("no", F_OK));
  CALL(access("", F_OK));
  CALL(access("a/b", F_OK));
  CALL(access("a", 64));
  CALL(mkdir("d", 0755));
  CALL(access("d", R_OK | W_OK | X_OK));
  CALL(symlink("nowhere", "dangling"));
  CALL(access("dangling", F_OK));
  CALL(faccessat(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
  CALL(faccessat(AT_FDCWD, "a", R_OK, AT_EACCESS));
  CALL(faccessat(AT_FDCWD, "a", F_OK, 0x40000000));
  int dir = TRY(open("d", O_RDONLY));
  put("d/b", "b");
  CALL(faccessat(dir, "b", F_OK, 0));
  CALL(faccessat(dir, "a", F_OK, 0));
  CALL(close(dir));
}

CASE(file_system) {
  struct statfs fs;
  struct statvfs vfs;
  put("a", "abc");
  CALL(statfs(".", &fs));
  HOLDS(fs.f_bsize > 0 && fs.f_blocks > 0);
  HOLDS(fs.f_bfree <= fs.f_blocks && fs.f_bavail <= fs.f_bfree);
  CALL(fs.f_namelen);
  CALL(statfs("no", &fs));
  CALL(statfs("", &fs));
  CALL(statfs("a/b", &fs));
  int fd = TRY(open("a", O_RDONLY));
  CALL(fstatfs(fd, &fs));
  HOLDS(fs.f_bsize > 0);
  CALL(close(fd));
  CALL(fstatfs(fd, &fs));
  CALL(statvfs("a", &vfs));
  HOLDS(vfs.f_frsize > 0 && vfs.f_namemax == 255);
}

CASE(statx_call) {
  struct statx stx;
  put("a", "hello");
  CALL(statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS, &stx));
  CALL(stx.stx_size);
  CALL(stx.stx_mode & 07777);
  CALL(statx(AT_FDCWD, "no", 0, STATX_BASIC_STATS, &stx));
}

PROGRAM(metadata, C(stats), C(links_are_not_followed), C(stat_at), C(sizes_of_blocks), C(modes), C(owners), C(times),
        C(times_now_and_omitted), C(times_of_links), C(times_that_change), C(accessibility), C(file_system),
        C(statx_call))
