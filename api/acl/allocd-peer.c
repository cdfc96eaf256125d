/*
 * Tells whose the other end of a TCP connection of this host is: asks the kernel for exactly that socket, which costs the
 * same however many there are, while its table in /proc has to be read whole.
 *
 * Reads "ADDRESS PORT ADDRESS PORT\n", the other end first; writes "UID INODE\n", or "-\n" when there is no such socket. Ends
 * with its input. Exit code 2: the kernel does not answer such questions.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct question {
  struct nlmsghdr head;
  struct inet_diag_req_v2 body;
};

/* Whether both are addresses of one family, which they are put in. */
static int parse(const char *from, const char *to, struct inet_diag_req_v2 *body) {
  for (int i = 0; i < 2; i++) {
    int family = i == 0 ? AF_INET : AF_INET6;
    if (inet_pton(family, from, body->id.idiag_src) == 1 && inet_pton(family, to, body->id.idiag_dst) == 1) {
      body->sdiag_family = family;
      return 1;
    }
  }
  return 0;
}

/* 1 when there is such a socket, 0 when there is none, -1 when the kernel can not tell. */
static int ask(int fd, struct question *question, unsigned *uid, unsigned *inode) {
  union {
    struct nlmsghdr head;
    char bytes[4096];
  } answer;
  question->head.nlmsg_seq++;
  if (send(fd, question, sizeof *question, 0) != sizeof *question) return -1;
  for (;;) {
    ssize_t length = recv(fd, &answer, sizeof answer, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < (ssize_t)sizeof answer.head) return -1;
    if (answer.head.nlmsg_seq == question->head.nlmsg_seq) break;
  }
  if (answer.head.nlmsg_type == NLMSG_ERROR) return ((struct nlmsgerr *)NLMSG_DATA(&answer.head))->error == -ENOENT ? 0 : -1;
  if (answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY) return -1;
  struct inet_diag_msg *found = NLMSG_DATA(&answer.head);
  /* Where there is no connection the kernel offers who listens on the port. */
  if (found->idiag_state == TCP_LISTEN || found->id.idiag_dport != question->body.id.idiag_dport) return 0;
  *uid = found->idiag_uid;
  *inode = found->idiag_inode;
  return 1;
}

int main(void) {
  int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return 2;
  char line[256], from[64], to[64];
  while (fgets(line, sizeof line, stdin)) {
    struct question question = {
        .head = {.nlmsg_len = sizeof question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u, .id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
    };
    unsigned from_port, to_port, uid, inode;
    int known = 0;
    if (sscanf(line, "%63s %u %63s %u", from, &from_port, to, &to_port) == 4 && parse(from, to, &question.body)) {
      question.body.id.idiag_sport = htons(from_port);
      question.body.id.idiag_dport = htons(to_port);
      known = ask(fd, &question, &uid, &inode);
      if (known < 0) return 2;
    }
    if (known)
      printf("%u %u\n", uid, inode);
    else
      puts("-");
    if (fflush(stdout) != 0) return 1;
  }
  return 0;
}
