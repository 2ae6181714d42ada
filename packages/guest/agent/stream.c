// What is open between the host and the guest: commands, transfers and connections, each with credit of its own.
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "stream.h"

enum { CHUNK = 32768, CREDIT_STEP = 16384, QUEUE_FOR_DATA = 128 * 1024 };

static struct stream streams[MAX_STREAMS];

// The next that is open, after one or from the beginning; NULL at the end.
static struct stream *next(struct stream *s) {
  for (s = s ? s + 1 : streams; s < streams + MAX_STREAMS; s++) {
    if (s->kind > PREPARED) return s;
  }
  return NULL;
}

static struct stream *find(uint32_t id) {
  struct stream *s = NULL;
  while ((s = next(s)) && s->id != id) continue;
  return s;
}

bool stream_exists(uint32_t id) { return find(id) != NULL; }

struct stream *open_stream(uint32_t id, enum kind kind) {
  for (int i = 0; i < MAX_STREAMS; i++) {
    if (streams[i].kind != FREE) continue;
    streams[i] = (struct stream){.id = id, .kind = kind, .report_fd = -1, .in_fd = -1, .window = WINDOW,
        .out = {{.fd = -1, .credit = WINDOW, .left = -1}, {.fd = -1, .credit = WINDOW, .left = -1}}};
    return &streams[i];
  }
  send_failure(id, F_TOO_MANY, EAGAIN, 0);
  return NULL;
}

// A terminal and a connection have one descriptor for both directions.
static void close_fd(struct stream *s, int *fd) {
  int old = *fd;
  *fd = -1;
  if (old >= 0 && s->in_fd != old && s->out[0].fd != old && s->out[1].fd != old) close(old);
}

static void free_stream(struct stream *s) {
  close_fd(s, &s->in_fd);
  close_fd(s, &s->out[0].fd);
  close_fd(s, &s->out[1].fd);
  if (s->report_fd >= 0) close(s->report_fd);
  free(s->in);
  s->in = NULL;
  s->kind = FREE;
}

static void kill_stream(struct stream *s, int number) {
  if (s->pid > 0 && kill(-s->pid, number) != 0) kill(s->pid, number);
}

void fail_stream(struct stream *s, uint16_t step, int error, uint16_t place) {
  kill_stream(s, SIGKILL);
  send_failure(s->id, step, error, place);
  free_stream(s);
}

static void free_if_over(struct stream *s) {
  if (s->ended && s->out[0].fd < 0 && s->out[1].fd < 0) free_stream(s);
}

static void end_channel(struct stream *s, int channel) {
  uint8_t number = (uint8_t)channel;
  close_fd(s, &s->out[channel].fd);
  send_frame(END, s->id, &number, 1);
}

static void start(struct stream *s) {
  uint8_t pid[4];
  put32(pid, (uint32_t)s->pid);
  send_frame(STARTED, s->id, pid, 4);
  s->started = true;
  if (s->out[1].fd < 0) end_channel(s, 1);
}

static void end_stream(struct stream *s, uint8_t code, uint8_t number) {
  uint8_t payload[2] = {code, number};
  send_frame(EXIT, s->id, payload, 2);
  s->ended = true;
  close_fd(s, &s->in_fd);
}

static void grant(struct stream *s, size_t bytes) {
  uint8_t payload[4];
  s->owed += (uint32_t)bytes;
  if (s->owed < CREDIT_STEP) return;
  put32(payload, s->owed);
  send_frame(GUEST_CREDIT, s->id, payload, 4);
  s->window += s->owed;
  s->owed = 0;
}

static void close_input(struct stream *s) {
  close_fd(s, &s->in_fd);
  if (!s->in_ends) send_frame(CLOSED, s->id, NULL, 0);
  grant(s, s->in_length);
  s->in_length = 0;
}

// A connection has no process: it is over when both directions are.
static void end_if_done(struct stream *s) {
  bool is_input_done = s->in_length == 0 && (s->in_ends || s->in_fd < 0);
  if (s->kind != CONNECTION || s->ended || !s->started || !is_input_done || s->out[0].fd >= 0) return;
  end_stream(s, 0, 0);
  free_if_over(s);
}

static void finish_input(struct stream *s) {
  if (!s->in_ends || s->in_length > 0 || s->in_fd < 0 || s->connecting) return;
  if (s->is_terminal) (void)!write(s->in_fd, "\x04", 1);
  else if (s->kind == CONNECTION) shutdown(s->in_fd, SHUT_WR);
  else close_fd(s, &s->in_fd);
  s->in_ends = !s->is_terminal; // what is typed later may follow
  end_if_done(s);
}

// Writes as much of what waits as is taken now.
static void pump_input(struct stream *s) {
  ssize_t written = s->connecting ? 0 : write(s->in_fd, s->in + s->in_start, s->in_length);
  if (written < 0 && errno != EAGAIN && errno != EINTR) return close_input(s), end_if_done(s);
  if (written <= 0) return;
  s->in_length -= (size_t)written;
  s->in_start = s->in_length > 0 ? s->in_start + (size_t)written : 0;
  grant(s, (size_t)written);
  finish_input(s);
}

static bool take_data(struct stream *s, const uint8_t *bytes, size_t length) {
  if (length > s->window) return false;
  s->window -= (uint32_t)length;
  if (s->in_ends || s->in_fd < 0) return grant(s, length), true;
  if (s->in == NULL && (s->in = malloc(WINDOW)) == NULL) return fail_stream(s, F_MEMORY, ENOMEM, 0), true;
  if (s->in_start + s->in_length + length > WINDOW) {
    memmove(s->in, s->in + s->in_start, s->in_length);
    s->in_start = 0;
  }
  memcpy(s->in + s->in_start + s->in_length, bytes, length);
  s->in_length += length;
  pump_input(s);
  return true;
}

static void pump_output(struct stream *s, int number) {
  struct channel *c = &s->out[number];
  bool is_draining = c->left >= 0;
  size_t most = c->credit < CHUNK ? c->credit : CHUNK;
  if (is_draining && (size_t)c->left < most) most = (size_t)c->left;
  ssize_t got = read(c->fd, reserve_frame(most), most);
  if (got < 0 && (errno == EINTR || (errno == EAGAIN && !is_draining))) return;
  if (got < 0 && s->kind == CONNECTION) return fail_stream(s, F_CONNECTION, errno, 0);
  if (got > 0) {
    commit_frame(number == 0 ? OUT : ERR, s->id, (size_t)got);
    c->credit -= (uint32_t)got;
    c->left -= is_draining ? (int)got : 0;
    if (c->left != 0) return;
  }
  end_channel(s, number); // also a terminal that nobody has open: EIO
  if (s->kind == CONNECTION) end_if_done(s);
  else free_if_over(s);
}

static bool take_credit(struct stream *s, unsigned channel, uint32_t bytes) {
  if (bytes > MAX_CREDIT || s->out[channel].credit + bytes > MAX_CREDIT) return false;
  s->out[channel].credit += bytes;
  return true;
}

static void cancel(struct stream *s) {
  struct linger reset = {1, 0};
  if (s->kind != CONNECTION) return kill_stream(s, SIGKILL);
  if (s->out[0].fd >= 0) setsockopt(s->out[0].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  fail_stream(s, F_CANCELLED, ECANCELED, 0);
}

bool stream_serve(uint8_t type, uint32_t id, const uint8_t *payload, size_t length) {
  struct stream *s = find(id);
  if (type == CREDIT && (payload[0] > 1 || get32(payload + 1) == 0)) return false;
  if (type == SIGNAL && (payload[0] < 1 || payload[0] > 64)) return false;
  if (s == NULL) return true; // what crossed its end
  if (type == DATA) return take_data(s, payload, length);
  if (type == CREDIT) return take_credit(s, payload[0], get32(payload + 1));
  if (type == CANCEL) cancel(s);
  if (type == SIGNAL && s->kind == COMMAND) kill_stream(s, payload[0]);
  if (type == RESIZE && s->is_terminal && s->out[0].fd >= 0) {
    struct winsize size = {.ws_row = get16(payload), .ws_col = get16(payload + 2)};
    ioctl(s->out[0].fd, TIOCSWINSZ, &size);
  }
  if (type == END_OF_INPUT && !s->in_ends) {
    s->in_ends = true;
    finish_input(s);
  }
  return true;
}

void streams_kill(int number) {
  for (struct stream *s = NULL; (s = next(s));) kill_stream(s, number);
}

void streams_reset(void) {
  streams_kill(SIGKILL);
  for (struct stream *s = NULL; (s = next(s));) free_stream(s);
}

bool streams_live(void) {
  struct stream *s = NULL;
  while ((s = next(s)) && s->kind == CONNECTION) continue;
  return s != NULL;
}

// What the child says: a failure, that it has begun, or by closing it that the program runs. False when it says nothing yet.
static bool read_report(struct stream *s) {
  struct failure failure = {0};
  ssize_t got = read(s->report_fd, &failure, sizeof failure);
  if (got < 0) return false;
  if (failure.step) return fail_stream(s, failure.step, failure.error, failure.place), false;
  if (got == 0) {
    close(s->report_fd);
    s->report_fd = -1;
  }
  if (!s->started && (got > 0 || s->kind == COMMAND)) start(s);
  return got > 0;
}

void stream_exited(pid_t pid, int status) {
  struct stream *s = streams;
  while (s < streams + MAX_STREAMS && (s->kind == FREE || s->pid != pid)) s++;
  if (s == streams + MAX_STREAMS) return;
  if (s->kind == PREPARED) return free_stream(s);
  while (s->report_fd >= 0 && read_report(s)) continue; // what it had to say comes before how it ended
  if (s->kind == FREE) return;
  if (!s->started) start(s);
  s->pid = 0;
  int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  end_stream(s, (uint8_t)(number ? 128 + number : WEXITSTATUS(status)), (uint8_t)number);
  for (int i = 0; i < 2; i++) {
    struct channel *c = &s->out[i];
    if (c->fd < 0) continue;
    c->left = INT_MAX; // what a terminal has cannot be told before it is read
    if (!s->is_terminal && ioctl(c->fd, FIONREAD, &c->left) != 0) c->left = 0;
    if (c->left == 0) end_channel(s, i);
  }
  free_if_over(s);
}

static bool wants_output(const struct stream *s, int channel) {
  const struct channel *c = &s->out[channel];
  return c->fd >= 0 && c->credit > 0 && s->started && queued() <= QUEUE_FOR_DATA;
}

size_t streams_poll(struct pollfd *fds, bool *wants_turn) {
  size_t count = 0;
  for (struct stream *s = NULL; (s = next(s));) {
    if (s->report_fd >= 0) fds[count++] = (struct pollfd){.fd = s->report_fd, .events = POLLIN};
    bool writes = s->in_fd >= 0 && (s->in_length > 0 || s->connecting);
    // A pipe that nobody reads tells so without being asked.
    bool watches = s->in_fd >= 0 && !s->is_terminal && s->kind != CONNECTION;
    if (writes || watches) fds[count++] = (struct pollfd){.fd = s->in_fd, .events = writes ? POLLOUT : 0};
    for (int j = 0; j < 2; j++) {
      if (!wants_output(s, j)) continue;
      if (s->out[j].left >= 0) *wants_turn = true;
      else fds[count++] = (struct pollfd){.fd = s->out[j].fd, .events = POLLIN};
    }
  }
  return count;
}

void connection_made(struct stream *s) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(s->in_fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) return fail_stream(s, F_CONNECT, error, 0);
  s->connecting = false;
  start(s);
  if (s->in_length > 0) pump_input(s);
  else finish_input(s);
}

void streams_event(int fd, short events) {
  for (struct stream *s = NULL; (s = next(s));) {
    if (fd == s->report_fd) return (void)read_report(s);
    if (fd == s->in_fd && s->connecting) return connection_made(s);
    if (fd == s->in_fd && s->in_length > 0 && (events & (POLLOUT | POLLERR | POLLHUP))) pump_input(s);
    else if (fd == s->in_fd && fd != s->out[0].fd && (events & POLLERR)) return close_input(s);
    for (int j = 0; j < 2 && s->kind != FREE; j++) {
      if (fd == s->out[j].fd && wants_output(s, j) && (events & (POLLIN | POLLERR | POLLHUP))) return pump_output(s, j);
    }
  }
}

void streams_turn(void) {
  for (struct stream *s = NULL; (s = next(s));) {
    for (int j = 0; j < 2; j++) {
      if (s->kind != FREE && s->out[j].left >= 0 && wants_output(s, j)) pump_output(s, j);
    }
  }
}
