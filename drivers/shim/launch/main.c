#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Replies, a line each:
 *   started ID PID STDIN STDOUT STDERR   a session's command runs; the last three are our ends of its pipes, to be opened
 *                                        through /proc/<launcher>/fd until the request `taken` (-1 with a terminal)
 *   failed ID REASON                     it does not
 *   ended ID CODE SIGNAL                 a session's command, or a run's guard, has ended; a mount is done or has failed
 */

/* A child: a session's command, a guard, or one that mounts. */
struct child {
  struct child *next;
  pid_t pid;
  char *id;
  /* Until it has become its command. */
  int status;
  /* Our ends of its pipes, until the shim has opened them: stdin, stdout, stderr. */
  int ends[3];
  bool has_ended;
  int wait_status;
};

static struct child *children;

static void reply(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void reply(const char *format, ...) {
  char line[512];
  va_list words;
  va_start(words, format);
  int length = vsnprintf(line, sizeof line - 1, format, words);
  va_end(words);
  if (length < 0) return;
  if ((size_t)length > sizeof line - 2) length = sizeof line - 2;
  line[length] = '\n';
  /* A shim that does not hear us is gone, and so are we at the next read. */
  (void)write_fully(1, line, (size_t)length + 1);
}

static struct child *add_child(const char *id) {
  struct child *child = calloc(1, sizeof *child);
  char *copy = strdup(id);
  if (child == NULL || copy == NULL) _exit(2);
  *child = (struct child){.next = children, .id = copy, .status = -1, .ends = {-1, -1, -1}};
  children = child;
  return child;
}

static void close_ends(struct child *child) {
  for (int i = 0; i < 3; i++) {
    if (child->ends[i] >= 0) close(child->ends[i]);
    child->ends[i] = -1;
  }
}

static void remove_child(struct child *child) {
  struct child **at = &children;
  while (*at != child) at = &(*at)->next;
  *at = child->next;
  close_ends(child);
  if (child->status >= 0) close(child->status);
  free(child->id);
  free(child);
}

/* A started session's child is kept until its pipes were taken and it has ended. */
static void settle(struct child *child) {
  if (!child->has_ended || child->status >= 0) return;
  int status = child->wait_status;
  int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  reply("ended %s %d %d", child->id, signal != 0 ? 128 + signal : WEXITSTATUS(status), signal);
  child->has_ended = false;
  child->pid = 0;
  if (child->ends[1] < 0) remove_child(child);
}

static void reap(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    struct child *child = children;
    while (child != NULL && child->pid != pid) child = child->next;
    if (child == NULL) continue;
    child->has_ended = true;
    child->wait_status = status;
    settle(child);
  }
}

static void start_fork(struct request *request) {
  pid_t pid = fork_into(request->guard_cgroups);
  if (pid == 0 && request->path != NULL) unmount(request->path);
  if (pid == 0) guard(request, 1);
  if (pid < 0) {
    reply("failed %s fork: %s", request->id, strerror(errno));
    return;
  }
  struct child *child = add_child(request->id);
  child->pid = pid;
}

/* Makes a session's pipes. @returns false with errno, and nothing open, when there can be none. */
static bool make_pipes(const struct request *request, int ours[3], int theirs[3]) {
  for (int i = 0; i < 3; i++) ours[i] = theirs[i] = -1;
  if (*request->tty != 0) return true;
  for (int i = 0; i < 3; i++) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return false;
    ours[i] = ends[i == 0 ? 1 : 0];
    theirs[i] = ends[i == 0 ? 0 : 1];
    /* It may open its /dev/stdout again. */
    if (*request->uid != 0 && fchown(theirs[i], (uid_t)atol(request->uid), (gid_t)atol(request->gid)) < 0) return false;
  }
  return true;
}

static void start_session(struct request *request) {
  int theirs[3];
  int status[2] = {-1, -1};
  struct child *child = add_child(request->id);
  pid_t pid = -1;
  if (make_pipes(request, child->ends, theirs) && pipe2(status, O_CLOEXEC) == 0) pid = fork_into(request->cgroups);
  if (pid == 0) become(request, theirs, status[1]);
  int error = errno;
  for (int i = 0; i < 3; i++)
    if (theirs[i] >= 0) close(theirs[i]);
  if (status[1] >= 0) close(status[1]);
  child->pid = pid;
  child->status = status[0];
  if (pid < 0) {
    reply("failed %s fork: %s", request->id, strerror(error));
    remove_child(child);
  }
}

/* The other end of `status` is closed: the child has become its command, or it has failed. */
static void finish_start(struct child *child) {
  struct failure failure;
  bool started = was_started(child->status, &failure);
  child->status = -1;
  if (!started) {
    reply("failed %s %s: %s", child->id, failure.stage, strerror(failure.error));
    remove_child(child);
    return;
  }
  reply("started %s %d %d %d %d", child->id, (int)child->pid, child->ends[0], child->ends[1], child->ends[2]);
  settle(child);
}

static void taken(const char *id) {
  struct child *child = children;
  while (child != NULL && strcmp(child->id, id) != 0) child = child->next;
  if (child == NULL) return;
  close_ends(child);
  if (child->pid == 0) remove_child(child);
}

static void handle(struct request *request) {
  bool mounts = strcmp(request->op, "mount") == 0;
  if (mounts && *request->options != 0) reply("ended %s %d 0", request->id, mount_tmpfs(request->path, request->options));
  else if (mounts || strcmp(request->op, "run") == 0) start_fork(request);
  else if (strcmp(request->op, "session") == 0) start_session(request);
  else taken(request->id);
}

/* Whatever our starter left open must not reach a task: a terminal of another user's, above all. */
static void close_inherited(void) {
  for (int fd = 3, most = (int)sysconf(_SC_OPEN_MAX); close_range((unsigned)fd, ~0u, 0) < 0 && fd < most; fd++) close(fd);
}

static int watch_children(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(void) {
  close_inherited();
  signal(SIGPIPE, SIG_IGN);
  fcntl(0, F_SETFD, FD_CLOEXEC);
  fcntl(1, F_SETFD, FD_CLOEXEC);
  int signals = watch_children();
  if (signals < 0) return 2;
  for (;;) {
    size_t starting = 0;
    for (struct child *child = children; child != NULL; child = child->next) starting += child->status >= 0;
    struct pollfd watched[2 + starting];
    struct child *of[2 + starting];
    watched[0] = (struct pollfd){.fd = 0, .events = POLLIN};
    watched[1] = (struct pollfd){.fd = signals, .events = POLLIN};
    size_t count = 2;
    for (struct child *child = children; child != NULL; child = child->next) {
      if (child->status < 0) continue;
      of[count] = child;
      watched[count++] = (struct pollfd){.fd = child->status, .events = POLLIN};
    }
    if (poll(watched, count, -1) < 0) continue;
    for (size_t i = 2; i < count; i++)
      if (watched[i].revents != 0) finish_start(of[i]);
    if (watched[1].revents != 0) {
      struct signalfd_siginfo drained[16];
      while (read(signals, drained, sizeof drained) > 0) continue;
      reap();
    }
    if (watched[0].revents != 0) {
      struct request request;
      if (!read_request(0, &request)) return 0;
      handle(&request);
      release_request(&request);
    }
  }
}
