#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

/* Mounts on the directory that `path` names now, through a descriptor: a task may put a link there at any moment. */
static int mount_tmpfs(const char *path, const char *options) {
  int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  char target[40];
  char best[256];
  snprintf(target, sizeof target, "/proc/self/fd/%d", fd);
  if (snprintf(best, sizeof best, "%s,noswap", options) >= (int)sizeof best) return EINVAL;
  const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (mount("tmpfs", target, "tmpfs", flags, best) == 0) return 0;
  /* Kernels before 6.4 know no noswap. */
  if (errno == EINVAL && mount("tmpfs", target, "tmpfs", flags, options) == 0) return 0;
  return errno;
}

void mount_or_unmount(const struct request *request) {
  bool mounts = *request->options != 0;
  int error = 0;
  if (mounts) error = mount_tmpfs(request->path, request->options);
  /* Whoever still has something open there keeps it until it lets go. */
  else if (umount2(request->path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0) error = errno;
  _exit(error);
}
