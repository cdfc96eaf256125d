#include "launch.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the shim's own frames may hold at most is less. */
#define MAX_REQUEST_BYTES (8u * 1024 * 1024)

static bool read_fully(int fd, void *into, size_t length) {
  for (size_t have = 0; have < length;) {
    ssize_t got = read(fd, (char *)into + have, length - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    have += (size_t)got;
  }
  return true;
}

/* Walks the words of a request. A word that is not there is a defect of the shim's; nothing sensible is left to do. */
struct reader {
  char *at;
  const char *end;
};

static char *next_word(struct reader *reader) {
  char *word = reader->at;
  char *nul = memchr(word, 0, (size_t)(reader->end - word));
  if (nul == NULL) _exit(2);
  reader->at = nul + 1;
  return word;
}

/* The caller frees the list, not the words. */
static char **next_list(struct reader *reader) {
  unsigned long length = strtoul(next_word(reader), NULL, 10);
  /* A word takes a byte at least. */
  if (length > (unsigned long)(reader->end - reader->at)) _exit(2);
  char **list = calloc(length + 1, sizeof *list);
  if (list == NULL) _exit(2);
  for (unsigned long i = 0; i < length; i++) list[i] = next_word(reader);
  return list;
}

bool read_request(int fd, struct request *request) {
  uint32_t size;
  if (!read_fully(fd, &size, sizeof size)) return false;
  if (size == 0 || size > MAX_REQUEST_BYTES) _exit(2);
  /* A mapping of its own, so that neither launcher nor guard keeps a task's environment. */
  char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (bytes == MAP_FAILED) _exit(2);
  if (!read_fully(fd, bytes, size)) return false;
  struct reader reader = {bytes, bytes + size};
  *request = (struct request){.bytes = bytes, .size = size};
  request->op = next_word(&reader);
  request->id = next_word(&reader);
  if (strcmp(request->op, "taken") == 0) return true;
  if (strcmp(request->op, "mount") == 0) {
    request->path = next_word(&reader);
    request->options = next_word(&reader);
    return true;
  }
  request->cwd = next_word(&reader);
  request->uid = next_word(&reader);
  request->gid = next_word(&reader);
  request->known = next_word(&reader);
  request->oom_score_adj = next_word(&reader);
  request->tty = next_word(&reader);
  request->out = next_word(&reader);
  request->err = next_word(&reader);
  request->run_dir = next_word(&reader);
  request->notice = next_word(&reader);
  request->guard_cgroups = next_list(&reader);
  request->cgroups = next_list(&reader);
  request->argv = next_list(&reader);
  request->envp = next_list(&reader);
  if (request->argv[0] == NULL) _exit(2);
  return true;
}

void release_request(struct request *request) {
  free(request->guard_cgroups);
  free(request->cgroups);
  free(request->argv);
  free(request->envp);
  munmap(request->bytes, request->size);
  *request = (struct request){0};
}
