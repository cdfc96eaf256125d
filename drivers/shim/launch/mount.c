#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

/* Through a descriptor: a task may put a link there at any moment. */
int mount_tmpfs(const char *path, const char *options) {
  int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  char target[40];
  char best[256];
  snprintf(target, sizeof target, "/proc/self/fd/%d", fd);
  if (snprintf(best, sizeof best, "%s,noswap", options) >= (int)sizeof best) return EINVAL;
  const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  bool mounted = mount("tmpfs", target, "tmpfs", flags, best) == 0;
  /* Kernels before 6.4 know no noswap. */
  if (!mounted && errno == EINVAL) mounted = mount("tmpfs", target, "tmpfs", flags, options) == 0;
  int error = mounted ? 0 : errno;
  close(fd);
  return error;
}

void unmount(const char *path) {
  /* Whoever still has something open there keeps it until it lets go. */
  _exit(umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? errno : 0);
}
