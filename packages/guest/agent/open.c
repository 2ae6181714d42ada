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

const char *test_root;
static struct stream prepared; // a process that carries out calls, before any are asked for

// Pipes, and the child's side of them as its standard streams; false after a failure, which is told.
static bool fork_child(struct stream *s, int ends[4][2], int terminal) {
  int count = terminal >= 0 ? 1 : 4; // report, input, output, error output
  for (int i = 0; i < 4; i++) ends[i][0] = ends[i][1] = -1;
  for (int i = 0; i < count; i++) {
    if (pipe2(ends[i], O_CLOEXEC) == 0) continue;
    for (int j = 0; j < i; j++) close(ends[j][0]), close(ends[j][1]);
    return false;
  }
  fcntl(ends[0][0], F_SETFL, O_NONBLOCK);
  s->pid = fork();
  if (s->pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    report_fd = ends[0][1];
    for (int i = 1; i < count; i++) dup2(ends[i][i == 1 ? 0 : 1], i - 1);
    return true;
  }
  int kept[4] = {ends[0][0], ends[1][1], ends[2][0], ends[3][0]};
  for (int i = 0; i < count; i++) close(ends[i][i == 1 ? 0 : 1]);
  s->report_fd = kept[0];
  s->in_fd = terminal >= 0 ? terminal : kept[1];
  s->out[0].fd = terminal >= 0 ? terminal : kept[2];
  s->out[1].fd = kept[3];
  for (int i = 1; i < count; i++) fcntl(kept[i], F_SETFL, O_NONBLOCK);
  return s->pid > 0;
}

void open_exec(uint32_t id, const struct request *request) {
  struct stream *s = open_stream(id, COMMAND);
  int ends[4][2], terminal = -1;
  if (s == NULL) return;
  s->is_terminal = request->flags & 1;
  if (s->is_terminal) {
    int unlock = 0;
    struct winsize size = {.ws_row = request->rows, .ws_col = request->columns};
    terminal = open(testing ? "/dev/ptmx" : "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (terminal < 0) return fail_stream(s, F_ERRNO, errno, "cannot open a terminal");
    ioctl(terminal, TIOCSPTLCK, &unlock);
    ioctl(terminal, TIOCSWINSZ, &size);
    s->in_fd = s->out[0].fd = terminal;
  }
  if (!fork_child(s, ends, terminal)) return fail_stream(s, F_ERRNO, errno, "cannot start a process");
  if (s->pid > 0) return;
  if (terminal >= 0) dup2(terminal, 0);
  run_exec(request, terminal >= 0);
}

int enter_target(enum target target) {
  if (target == AGENT) return 0;
  if (testing) return chdir(test_root) != 0 || (strcmp(test_root, "/") != 0 && chroot(".") != 0) ? errno : 0;
  return setns(target == BOX ? BOX_SPACE : GUEST_SPACE, CLONE_NEWNS) != 0 || chdir("/") != 0 ? errno : 0;
}

static bool start_caller(struct stream *s, enum target target) {
  int ends[4][2];
  if (!fork_child(s, ends, -1)) return false;
  if (s->pid > 0) return true;
  int error = enter_target(target);
  if (error) give_up(F_ERRNO, error, "cannot enter the file system");
  // It becomes no other program: what it has of other streams, and of its own other ends, would never be closed.
  report_fd = dup2(report_fd, 3);
  syscall(SYS_close_range, FIRST_FREE, ~0u, 0);
  run_calls(0, 1);
}

// A machine that goes on from a saved one has what mounts its disks already.
void prepare_caller(void) {
  if (!start_caller(&prepared, AGENT)) die("cannot start a process");
}

void caller_exited(pid_t pid) {
  if (prepared.pid == pid) prepared.pid = 0;
}

void open_calls(uint32_t id, enum target target) {
  struct stream *s = open_stream(id, CALLER);
  if (s == NULL) return;
  if (target == AGENT && prepared.pid > 0) {
    s->pid = prepared.pid;
    s->report_fd = prepared.report_fd;
    s->in_fd = prepared.in_fd;
    for (int i = 0; i < 2; i++) s->out[i].fd = prepared.out[i].fd;
    prepared.pid = 0;
  } else if (!start_caller(s, target)) {
    fail_stream(s, F_ERRNO, errno, "cannot start a process");
  }
}

void open_connection(uint32_t id, uint16_t port) {
  struct stream *s = open_stream(id, CONNECTION);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  if (s == NULL) return;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail_stream(s, F_ERRNO, errno, "cannot make a socket");
  s->in_fd = s->out[0].fd = fd;
  s->connecting = true;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return connection_made(s);
  if (errno != EINPROGRESS) fail_stream(s, errno == ECONNREFUSED ? F_REFUSED : F_ERRNO, errno, "cannot connect");
}
