// The loop: one thread that never waits for anything but poll.
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent.h"

static const char magic[] = "box-agent-hello\n";
enum { HELLO_PAYLOAD = 32, MAGIC = sizeof magic - 1, KILL_MS = 3000, DRAIN_MS = 1000, POLL_MS = 50, READS = 32 };

bool testing;
static int port, children;
static uint8_t input[HEADER + MAX_EXEC];
static size_t input_length;
static bool in_session, skipping, connected = true, all_gone;
static uint32_t grace_ms;
static int64_t gone_ms = -1;              // since when the host is away
static int64_t stop_ms = -1, kill_ms = -1; // when processes are killed, and when they are no longer waited for

static void end_session(void) {
  streams_reset();
  in_session = false;
}

static void fault(uint16_t step) {
  end_session();
  skipping = true;
  send_failure(0, step, 0, 0);
}

static void stop(uint32_t after_ms) {
  if (stop_ms >= 0) return;
  stop_ms = now_ms() + (after_ms > 3600000 ? 3600000 : after_ms);
  kill_ms = stop_ms + KILL_MS;
  if (testing) streams_kill(SIGTERM);
  else kill(-1, SIGTERM);
}

static bool greet(const uint8_t *payload) {
  uint16_t least = get16(payload + MAGIC), most = get16(payload + MAGIC + 2);
  uint8_t ready[10] = {PROTOCOL_VERSION};
  if (memcmp(payload, magic, MAGIC) != 0 || least > most) return false;
  end_session();
  in_session = PROTOCOL_VERSION >= least && PROTOCOL_VERSION <= most;
  if (!in_session) return send_failure(0, F_VERSION, 0, PROTOCOL_VERSION), true;
  grace_ms = get32(payload + MAGIC + 4);
  memcpy(ready + 2, payload + MAGIC + 8, 8);
  send_frame(READY, 0, ready, sizeof ready);
  return true;
}

// Carries a frame out; false when it is none.
static bool serve(uint8_t type, uint32_t id, const uint8_t *payload, size_t length) {
  switch (type) {
    case HELLO: return greet(payload);
    case PING: return send_frame(PONG, id, payload, length), true;
    case SHUTDOWN: return stop(get32(payload)), true;
    case EXEC: return open_exec(id, payload, length);
    case CALLS: return open_calls(id, payload[0]);
    case CONNECT: return open_connection(id, get16(payload));
    default: return stream_serve(type, id, payload, length);
  }
}

static const struct { uint32_t least, most; } rules[] = {
    [EXEC] = {sizeof(struct command) + 2, MAX_EXEC}, [DATA] = {1, MAX_DATA}, [END_OF_INPUT] = {0, 0}, [SIGNAL] = {1, 1}, [RESIZE] = {4, 4},
    [PING] = {0, 64}, [SHUTDOWN] = {4, 4}, [CALLS] = {1, 1}, [CALLS + 1] = {1, 0}, [CONNECT + 1] = {1, 0}, [CONNECT] = {2, 2},
    [HELLO] = {HELLO_PAYLOAD, HELLO_PAYLOAD}, [CREDIT] = {5, 5}, [CANCEL] = {0, 0}};

// Takes one frame off the input; 0 when it is not whole.
static size_t take_frame(const uint8_t *at, size_t length) {
  if (length < HEADER) return 0;
  uint32_t size = get32(at), id = get32(at + 5);
  uint8_t type = at[4];
  bool opens = type == EXEC || type == CALLS || type == CONNECT;
  if (type < EXEC || type > CANCEL || rules[type].least > rules[type].most) fault(F_TYPE);
  else if (size < rules[type].least || size > rules[type].most) fault(F_LENGTH);
  else if ((id == 0) != (type == HELLO)) fault(F_STREAM);
  else if (length < HEADER + size) return 0;
  else if (!in_session && type != HELLO) fault(F_NO_SESSION);
  else if (opens && stream_exists(id)) fault(F_IN_USE);
  else if (opens && stop_ms >= 0) return send_failure(id, F_GOING_DOWN, 0, 0), HEADER + size;
  else if (!serve(type, id, at + HEADER, size)) fault(F_FIELDS);
  else return HEADER + size;
  return HEADER; // of a bad frame: the rest is skipped
}

// Looks for the beginning of the next session in what is no sequence of frames.
static size_t skip(const uint8_t *at, size_t length) {
  uint8_t wanted[HEADER + MAGIC] = {HELLO_PAYLOAD, 0, 0, 0, HELLO};
  memcpy(wanted + HEADER, magic, MAGIC);
  const uint8_t *found = memmem(at, length, wanted, sizeof wanted);
  skipping = found == NULL;
  if (found) return (size_t)(found - at);
  return length < sizeof wanted ? 0 : length - (sizeof wanted - 1);
}

static void serve_input(void) {
  size_t at = 0;
  while (at < input_length && queued() <= 256 * 1024) {
    bool was_skipping = skipping;
    size_t taken = skipping ? skip(input + at, input_length - at) : take_frame(input + at, input_length - at);
    if (taken == 0 && was_skipping == skipping) break;
    at += taken;
  }
  memmove(input, input + at, input_length - at);
  input_length -= at;
}

static void hang_up(void) {
  end_session();
  if (testing) exit(0);
  drop_queue();
  input_length = 0;
  skipping = connected = false;
  gone_ms = now_ms();
}

// The port gives a page at a time: a few in a row save the way around.
static void read_port(void) {
  for (int i = 0; i < READS && input_length < sizeof input; i++) {
    ssize_t got = read(port, input + input_length, sizeof input - input_length);
    if (got > 0) input_length += (size_t)got;
    else if (got == 0 || (errno != EAGAIN && errno != EINTR)) return hang_up();
    else return;
  }
}

static void reap(void) {
  struct signalfd_siginfo info;
  int status;
  pid_t pid;
  while (read(children, &info, sizeof info) > 0) continue;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) stream_exited(pid, status);
  if (stop_ms < 0 || pid >= 0 || errno != ECHILD || all_gone) return;
  all_gone = true;
  kill_ms = now_ms() + DRAIN_MS;
}

// Goes on with stopping; how long poll may wait, -1 for ever.
static int next_deadline(void) {
  int64_t now = now_ms();
  if (!connected && grace_ms > 0 && now - gone_ms >= grace_ms) stop(500);
  if (stop_ms < 0) return connected ? -1 : POLL_MS;
  if (now >= kill_ms || (all_gone && !streams_live())) {
    for (int i = 0; i < 20 && connected && flush_queue(port) == 0 && queued() > 0; i++) usleep(10000);
    if (!testing) power_off();
    shutdown(port, SHUT_WR); // a socket loses what its host has not read yet if it is closed first
    return -1;
  }
  if (now >= stop_ms && stop_ms > 0) {
    stop_ms = 0; // once
    if (testing) streams_kill(SIGKILL);
    else kill(-1, SIGKILL);
  }
  return POLL_MS;
}

static _Noreturn void loop(void) {
  static struct pollfd fds[2 + MAX_STREAMS * 4];
  for (;;) {
    bool wants_turn = false;
    if (connected && flush_queue(port) < 0) hang_up();
    int timeout = next_deadline();
    bool takes_input = input_length < sizeof input && queued() <= 256 * 1024;
    fds[0] = (struct pollfd){.fd = port, .events = (short)((takes_input ? POLLIN : 0) | (queued() ? POLLOUT : 0))};
    fds[1] = (struct pollfd){.fd = children, .events = POLLIN};
    if (!connected) fds[0].fd = -1;
    size_t count = 2 + streams_poll(fds + 2, &wants_turn);
    if (poll(fds, count, wants_turn ? 0 : timeout) < 0 && errno != EINTR) die("poll");
    if (!connected) {
      struct pollfd again = {.fd = port, .events = POLLIN};
      connected = poll(&again, 1, 0) >= 0 && !(again.revents & POLLHUP);
    } else if (fds[0].revents & POLLIN) {
      read_port();
    } else if (fds[0].revents & (POLLHUP | POLLERR)) {
      hang_up(); // also while no input is taken
    }
    for (size_t i = 2; i < count; i++) {
      if (fds[i].revents) streams_event(fds[i].fd, fds[i].revents);
    }
    streams_turn();
    serve_input();
    if (fds[1].revents || stop_ms >= 0) reap(); // when it stops, nothing may be left that could end
  }
}

int main(int argc, char **argv) {
  sigset_t set;
  testing = argc == 3 && strcmp(argv[1], "--test") == 0;
  if (!testing && getpid() != 1) {
    fputs("usage: agent --test FD; without it, it is the first process of a virtual machine\n", stderr);
    return 2;
  }
  // What is opened later must not take the place of descriptors with a meaning.
  int fd = open("/", O_RDONLY | O_CLOEXEC);
  while (fd >= 0 && fd < FIRST_FREE) fd = open("/", O_RDONLY | O_CLOEXEC);
  close(fd);
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  children = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (testing) {
    port = atoi(argv[2]);
    fcntl(port, F_SETFD, FD_CLOEXEC);
    fcntl(port, F_SETFL, O_NONBLOCK);
  } else {
    port = boot();
  }
  if (children < 0 || port < 0) die("there is nothing to listen on");
  loop();
}
