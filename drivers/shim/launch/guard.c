#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The record of a run: three lines in places of their own (drivers/shim/run-dir.ts reads them).
 *
 *   0  guard PID STARTTIME       written at once; the file is made with O_EXCL before the command, so that no run starts
 *                                twice, whoever dies
 *  64  pid PID STARTTIME         when the command was started
 * 128  exit CODE SIGNAL          when it has ended, or: failed WHY
 *
 * Room for all of it is taken at the start: how a command ended has to be written on a full disk too.
 */
enum { GUARD_LINE = 0, PID_LINE = 64, EXIT_LINE = 128, RECORD_BYTES = 256 };

struct record {
  int fd;
  int notice;
  const char *id;
};

/* Clock ticks after boot, field 22 of /proc/<pid>/stat: with it a number is told from a later process of the same number. */
static unsigned long long start_time(pid_t pid) {
  char path[40], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return 0;
  text[length] = 0;
  /* The command's name is in parentheses and may hold spaces and parentheses itself. */
  char *at = strrchr(text, ')');
  for (int field = 2; at != NULL && field < 22; field++) at = strchr(at + 1, ' ');
  return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

static bool write_line(const struct record *record, off_t place, const char *line) {
  return pwrite(record->fd, line, strlen(line), place) == (ssize_t)strlen(line);
}

/* Should a word be lost, the shim looks at the records by itself after a while. */
static void notify(const struct record *record, const char *word) {
  char line[512];
  int length = snprintf(line, sizeof line, "%s %s\n", word, record->id);
  if (record->notice >= 0) write_fully(record->notice, line, (size_t)length);
}

static bool open_record(struct record *record, const char *run_dir) {
  char path[4096], room[RECORD_BYTES], line[64];
  snprintf(path, sizeof path, "%s/record", run_dir);
  record->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (record->fd < 0) return false;
  memset(room, ' ', sizeof room);
  int length = snprintf(line, sizeof line, "guard %d %llu\n", (int)getpid(), start_time(getpid()));
  memcpy(room + GUARD_LINE, line, (size_t)length);
  return write_fully(record->fd, room, sizeof room) == 0;
}

static void record_failure(const struct record *record, const struct failure *failure) {
  char line[128];
  snprintf(line, sizeof line, "failed %.76s: %.40s\n", failure->stage, strerror(failure->error));
  write_line(record, EXIT_LINE, line);
  notify(record, "exit");
}

/* Keeps no descriptor of the launcher's: its end has to be seen. */
static void let_go(void) {
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; fd++) dup2(nothing, fd);
  if (nothing > 2) close(nothing);
}

void guard(struct request *request, int replies) {
  struct record record = {.fd = -1, .notice = open(request->notice, O_RDWR | O_CLOEXEC), .id = strdup(request->id)};
  struct failure failure = {0};
  int status[2];
  prctl(PR_SET_NAME, GUARD_NAME);
  setsid();
  /* One that can not join where no limits are is only less well placed. */
  join_cgroups(request->guard_cgroups, &failure);
  if (record.id == NULL || !open_record(&record, request->run_dir) || pipe2(status, O_CLOEXEC) < 0) {
    char line[512];
    int length = snprintf(line, sizeof line, "failed %s making its record: %s\n", request->id, strerror(errno));
    write_fully(replies, line, (size_t)length);
    _exit(1);
  }
  pid_t pid = fork_into(request->cgroups);
  if (pid == 0) become(request, (const int[3]){-1, -1, -1}, status[1]);
  close(status[1]);
  let_go();
  failure = (struct failure){.error = errno, .stage = "fork"};
  if (pid < 0 || !was_started(status[0], &failure)) {
    record_failure(&record, &failure);
    _exit(1);
  }
  release_request(request);
  char line[64];
  snprintf(line, sizeof line, "pid %d %llu\n", (int)pid, start_time(pid));
  write_line(&record, PID_LINE, line);
  notify(&record, "pid");
  int ended;
  while (waitpid(pid, &ended, 0) < 0 && errno == EINTR) continue;
  int signal = WIFSIGNALED(ended) ? WTERMSIG(ended) : 0;
  snprintf(line, sizeof line, "exit %d %d\n", signal != 0 ? 128 + signal : WEXITSTATUS(ended), signal);
  write_line(&record, EXIT_LINE, line);
  notify(&record, "exit");
  _exit(0);
}
