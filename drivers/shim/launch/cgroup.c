#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * A process that is moved by cgroup.procs waits until no fork or exit is under way anywhere on the host: for a grace
 * period of RCU, 7 to 20 ms, unless somebody else was moved just before. There are two ways without it: a single thread
 * that moves itself through version 1's `tasks` (Linux 5.5), and to be born in a cgroup of version 2 (Linux 5.7).
 */

static bool join(const char *dir) {
  char path[4096];
  snprintf(path, sizeof path, "%s/tasks", dir);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) {
    snprintf(path, sizeof path, "%s/cgroup.procs", dir);
    fd = open(path, O_WRONLY | O_CLOEXEC);
  }
  if (fd < 0) return false;
  bool joined = write(fd, "0", 1) == 1;
  int error = errno;
  close(fd);
  errno = error;
  return joined;
}

void join_cgroups(char **dirs, struct failure *failure) {
  for (; *dirs != NULL; dirs++) {
    if (join(*dirs)) continue;
    failure->error = errno;
    snprintf(failure->stage, sizeof failure->stage, "joining a cgroup");
    return;
  }
}

pid_t fork_into(char **dirs) {
  bool only = dirs != NULL && dirs[0] != NULL && dirs[1] == NULL;
  int fd = only ? open(dirs[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (fd < 0) return fork();
  struct clone_args how = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)fd};
  pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
  if (pid == 0) dirs[0] = NULL;
  close(fd);
  /* A kernel or a container that knows nothing of it, a cgroup of version 1, or one that takes nobody: joining it says which. */
  return pid < 0 ? fork() : pid;
}
