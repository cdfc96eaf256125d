#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Node raises its own soft limit to the hard one, which makes programs that close "all" descriptors crawl. */
#define OPEN_FILES_LIMIT 65536

int write_fully(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t put = write(fd, bytes, length);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return -1;
    bytes += put;
    length -= (size_t)put;
  }
  return 0;
}

static void give_up(int status, const char *stage, const char *what) __attribute__((noreturn));
static void give_up(int status, const char *stage, const char *what) {
  struct failure failure = {.error = errno};
  snprintf(failure.stage, sizeof failure.stage, "%s %s", stage, what);
  write_fully(status, (const char *)&failure, sizeof failure);
  _exit(127);
}

bool was_started(int status, struct failure *failure) {
  size_t have = 0;
  while (have < sizeof *failure) {
    ssize_t got = read(status, (char *)failure + have, sizeof *failure - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += (size_t)got;
  }
  close(status);
  return have < sizeof *failure;
}

static void reset_signals(void) {
  for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_limits(const struct request *request) {
  umask(022);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > OPEN_FILES_LIMIT) {
    files.rlim_cur = OPEN_FILES_LIMIT;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (*request->oom_score_adj == 0) return;
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  /* Not everybody may lower it; the task runs all the same. */
  if (fd >= 0) {
    (void)!write(fd, request->oom_score_adj, strlen(request->oom_score_adj));
    close(fd);
  }
}

static void use_as(int fd, int number, int status) {
  /* dup2 of a descriptor onto itself would leave it close-on-exec. */
  int done = fd == number ? fcntl(fd, F_SETFD, 0) : dup2(fd, number);
  if (done < 0) give_up(status, "placing", "a descriptor");
}

static void open_terminal(const char *path, int status) {
  int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) give_up(status, "opening", path);
  /* Root may take it from a session that had it; here it is new. */
  if (ioctl(fd, TIOCSCTTY, 0) < 0) give_up(status, "taking the terminal", path);
  for (int number = 0; number < 3; number++) use_as(fd, number, status);
}

/* Open both ways: there is always a reader then, and the end of whoever reads it is no SIGPIPE to the command. */
static void open_output(const struct request *request, const char *path, int number, int status) {
  int fd = open(*path == 0 ? "/dev/null" : path, O_RDWR | O_CLOEXEC);
  if (fd < 0) give_up(status, "opening", path);
  /* It may open its /dev/stdout again. */
  if (*path != 0 && *request->uid != 0 && fchown(fd, (uid_t)atol(request->uid), (gid_t)atol(request->gid)) < 0)
    give_up(status, "handing over", path);
  use_as(fd, number, status);
}

static void place_descriptors(const struct request *request, const int fds[3], int status) {
  if (*request->tty != 0) {
    open_terminal(request->tty, status);
  } else if (fds[0] >= 0) {
    for (int number = 0; number < 3; number++) use_as(fds[number], number, status);
  } else {
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0) give_up(status, "opening", "/dev/null");
    use_as(nothing, 0, status);
    open_output(request, request->out, 1, status);
    open_output(request, request->err, 2, status);
  }
}

/* With the user's own groups: setuid alone would leave root's. */
static void become_user(const struct request *request, int status) {
  if (*request->uid == 0) return;
  uid_t uid = (uid_t)atol(request->uid);
  gid_t gid = (gid_t)atol(request->gid);
  if (*request->known == 0) {
    if (setgroups(0, NULL) < 0) give_up(status, "leaving the groups of", "root");
  } else {
    struct passwd *user = getpwuid(uid);
    if (user == NULL || initgroups(user->pw_name, gid) < 0) give_up(status, "taking the groups of user", request->uid);
  }
  if (setresgid(gid, gid, gid) < 0) give_up(status, "becoming group", request->gid);
  if (setresuid(uid, uid, uid) < 0) give_up(status, "becoming user", request->uid);
}

void become(const struct request *request, const int fds[3], int status) {
  struct failure failure = {0};
  setsid();
  join_cgroups(request->cgroups, &failure);
  if (failure.error != 0) {
    errno = failure.error;
    give_up(status, failure.stage, "");
  }
  place_descriptors(request, fds, status);
  set_limits(request);
  if (chdir(request->cwd) < 0) give_up(status, "chdir", request->cwd);
  become_user(request, status);
  reset_signals();
  execve(request->argv[0], request->argv, request->envp);
  give_up(status, "exec", request->argv[0]);
}
