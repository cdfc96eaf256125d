/*
 * allocd-launch starts the commands of tasks and exec sessions for the shim: one small process that is cheap to fork,
 * where a spawn from Node would stop the shim for longer than a whole start may take. A task's command gets a fork of it
 * as its guard, which outlives launcher and shim.
 *
 * Requests come on stdin, replies go to stdout; drivers/shim/launcher.ts is the other end of both.
 */
#ifndef ALLOCD_LAUNCH_H
#define ALLOCD_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A process's name, as /proc/<pid>/comm shows it. */
#define GUARD_NAME "allocd-guard"

/*
 * One request: a 32-bit little-endian length and that many bytes of NUL-terminated words, in the order of the members.
 * Lists are preceded by their length. An empty word is "none".
 */
struct request {
  const char *op; /* run, session, mount, or taken */
  const char *id;
  const char *cwd;
  const char *uid, *gid, *known; /* known: the uid is in the user database, and has groups of its own */
  const char *oom_score_adj;
  const char *tty; /* becomes stdin, stdout, stderr and the controlling terminal */
  const char *out, *err; /* of a run: FIFOs, or empty for /dev/null */
  const char *run_dir, *notice; /* of a run: its records' directory, the FIFO that says there is news */
  const char *path, *options; /* of a mount: where, and the tmpfs's options; without options it is taken away */
  char **guard_cgroups; /* directories of the cgroups that the guard joins */
  char **cgroups; /* directories of those that the command joins */
  char **argv;
  char **envp;
  char *bytes; /* the mapping that all of the above points into */
  size_t size;
};

/* What kept a command from being started. */
struct failure {
  int error; /* errno */
  char stage[100]; /* what was tried */
};

/* request.c: reads exactly one request. Returns false at the end of the input; exits when it makes no sense. */
bool read_request(int fd, struct request *request);
void release_request(struct request *request);

/* cgroup.c */
/* Moves this process, which has one thread. */
void join_cgroups(char **dirs, struct failure *failure);
/* A fork whose child joins them by join_cgroups(): where it was born in them, `dirs` is empty in the child. NULL: none. */
pid_t fork_into(char **dirs);

/* command.c */
/* Becomes the command. fds: stdin, stdout, stderr, or -1 for what the request names. Never returns: says on `status` why not. */
void become(const struct request *request, const int fds[3], int status) __attribute__((noreturn));
/* Returns true when the command was started, false with the reason when it was not; consumes `status`. */
bool was_started(int status, struct failure *failure);
int write_fully(int fd, const char *bytes, size_t length);

/* mount.c */
/* Mounts on the directory that `path` names now; a fork for it would take longer than it does. Returns the errno. */
int mount_tmpfs(const char *path, const char *options);
/* In a process of its own, as it may take a while; the exit code is the errno. */
void unmount(const char *path) __attribute__((noreturn));

/* guard.c: guards the request's command, in a process of its own. Never returns. */
void guard(struct request *request, int replies) __attribute__((noreturn));

#endif
