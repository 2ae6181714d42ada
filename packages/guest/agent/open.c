// Opens streams: starts commands, and what carries out calls, in children, and connects.
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "stream.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static struct stream *prepared;

// Pipes to a child: its report and, unless it has a terminal, its standard streams. Goes on in the child too, as process 0.
static void fork_child(struct stream *s) {
  int *kept[] = {&s->report_fd, &s->in_fd, &s->out[0].fd, &s->out[1].fd}, given[4], ends[2];
  int count = s->is_terminal ? 1 : 4, made = 0;
  for (; made < count && pipe2(ends, O_CLOEXEC) == 0; made++) {
    bool is_input = kept[made] == &s->in_fd;
    *kept[made] = ends[is_input];
    given[made] = ends[!is_input];
    fcntl(*kept[made], F_SETFL, O_NONBLOCK);
  }
  s->pid = made == count ? fork() : -1;
  if (s->pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    report_fd = given[0];
    for (int i = 1; i < count; i++) dup2(given[i], i - 1);
    return;
  }
  if (s->pid < 0) fail_stream(s, F_PROCESS, errno, 0);
  for (int i = 0; i < made; i++) close(given[i]);
}

// Whether so many NUL-terminated texts are all that is there.
static bool are_texts(const uint8_t *at, size_t length, size_t count) {
  for (size_t i = 0; i < length; i++) count -= at[i] == 0;
  return length > 0 && at[length - 1] == 0 && count == 0;
}

static bool open_terminal(struct stream *s, const struct command *command) {
  int unlock = 0;
  struct winsize size = {.ws_row = command->rows, .ws_col = command->columns};
  s->is_terminal = true;
  s->in_fd = s->out[0].fd = open(testing ? "/dev/ptmx" : "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (s->in_fd < 0) return fail_stream(s, F_TERMINAL, errno, 0), false;
  ioctl(s->in_fd, TIOCSPTLCK, &unlock);
  ioctl(s->in_fd, TIOCSWINSZ, &size);
  return true;
}

bool open_exec(uint32_t id, const uint8_t *payload, size_t length) {
  struct command command;
  memcpy(&command, payload, sizeof command);
  size_t head = sizeof command + 4u * command.groups;
  if (command.target > GUEST || command.flags > 1 || command.args == 0 || head > length) return false;
  if (!are_texts(payload + head, length - head, 1u + command.places + command.args + command.envs)) return false;
  if (payload[head] && payload[head] != '/') return false;
  struct stream *s = open_stream(id, COMMAND);
  if (s == NULL || (command.flags && !open_terminal(s, &command))) return true;
  fork_child(s);
  if (s->pid == 0) run_exec(payload, s->is_terminal ? s->in_fd : -1);
  return true;
}

void enter_target(enum target target) {
  bool is_there = target == AGENT || testing || setns(target == BOX ? BOX_SPACE : GUEST_SPACE, CLONE_NEWNS) == 0;
  if (!is_there || chdir("/") != 0) give_up(F_TARGET, errno, 0);
}

static void start_caller(struct stream *s, enum target target) {
  fork_child(s);
  if (s->pid != 0) return;
  enter_target(target);
  // It becomes no other program: what it has of other streams, and of its own other ends, would never be closed.
  report_fd = dup2(report_fd, 3);
  syscall(SYS_close_range, FIRST_FREE, ~0u, 0);
  run_calls();
}

// A machine that goes on from a saved one has what mounts its disks already.
void prepare_caller(void) {
  prepared = open_stream(0, PREPARED);
  start_caller(prepared, AGENT);
}

bool open_calls(uint32_t id, unsigned target) {
  if (target > AGENT) return false;
  if (target == AGENT && prepared && prepared->kind == PREPARED) {
    prepared->id = id;
    prepared->kind = CALLER;
    return true;
  }
  struct stream *s = open_stream(id, CALLER);
  if (s) start_caller(s, target);
  return true;
}

bool open_connection(uint32_t id, uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct stream *s = port ? open_stream(id, CONNECTION) : NULL;
  if (s == NULL) return port != 0;
  s->in_fd = s->out[0].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  s->connecting = true;
  if (s->in_fd >= 0 && connect(s->in_fd, (struct sockaddr *)&address, sizeof address) == 0) connection_made(s);
  else if (errno != EINPROGRESS) fail_stream(s, F_CONNECT, errno, 0);
  return true;
}
