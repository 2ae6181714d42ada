// The agent of a box: the first process of its virtual machine. docs/spec/agent-protocol.md says what it speaks.
#ifndef AGENT_H
#define AGENT_H

// Compiled with -D_GNU_SOURCE.
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { PROTOCOL_VERSION = 4, HEADER = 9, MAX_DATA = 65536, MAX_EXEC = 524288 };
enum { WINDOW = 65536, MAX_CREDIT = 1 << 30, MAX_STREAMS = 128 };

// What the host sends, and what the guest does.
enum { EXEC = 1, DATA, END_OF_INPUT, SIGNAL, RESIZE, PING, SHUTDOWN, CALLS, CONNECT = 10, HELLO = 12, CREDIT, CANCEL };
enum { READY = 101, OUT, ERR, EXIT, FAIL, PONG, CLOSED, GUEST_CREDIT, END, STARTED };

// Failures, as on the wire.
enum failure {
  F_PROTOCOL = 1, F_VERSION, F_NOT_READY, F_TOO_MANY, F_INVALID, F_UNSUPPORTED, F_NOT_FOUND, F_NOT_EXECUTABLE,
  F_NO_CWD, F_NO_USER, F_REFUSED, F_NO_DISK, F_MOUNT, F_ERRNO
};

// Where something happens: in the box's file system, in that of the system that boots, or where the agent is.
enum target { BOX, GUEST, AGENT };

// Descriptors that the boot makes, and that processes which carry out calls have too: the mount namespaces of the targets.
enum { BOX_SPACE = 4, GUEST_SPACE, FIRST_FREE };

// What a child tells the agent in one write: a failure, or 0 that it has begun.
struct report {
  uint16_t failure;
  int32_t error;
  char text[512];
};

// How EXEC begins on the wire. Then come numbers of groups, and NUL-terminated texts: folder, arguments, environment.
struct __attribute__((packed)) command {
  uint8_t target, flags;
  uint16_t rows, columns;
  uint32_t uid, gid;
  uint16_t groups, args, envs;
};

extern bool testing; // an ordinary process for tests: touches no disk, no clock and no process that is not its own

// port.c: the queue of frames to the host.
void send_frame(uint8_t type, uint32_t id, const void *payload, size_t length);
void send_failure(uint32_t id, uint16_t failure, int error, const char *text);
uint8_t *reserve_frame(size_t length); // where a payload of up to this length may be put before commit_frame
void commit_frame(uint8_t type, uint32_t id, size_t length);
size_t queued(void);
int flush_queue(int port); // -1: the host is gone
void drop_queue(void);
uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
uint64_t get64(const uint8_t *at);
void put32(uint8_t *at, uint32_t value);

// boot.c: from the kernel to the open port, and the end.
int boot(void); // the port
const char *stages_json(void);
void note_stage(const char *name);
int64_t now_ms(void);
_Noreturn void die(const char *what);
_Noreturn void power_off(void);

// stream.c: what is open.
struct pollfd;
bool stream_exists(uint32_t id);
bool stream_serve(uint8_t type, uint32_t id, const uint8_t *payload, size_t length); // false: out of place
bool open_exec(uint32_t id, const uint8_t *payload, size_t length); // these: false when the fields are wrong
bool open_calls(uint32_t id, unsigned target);
bool open_connection(uint32_t id, uint16_t port);
void prepare_caller(void); // starts what carries out the first calls
int enter_target(enum target target); // in a child; 0, or the failure
extern const char *test_root;
void streams_reset(void);
void streams_kill(int number);
bool streams_live(void);
void stream_exited(pid_t pid, int status);
size_t streams_poll(struct pollfd *fds, bool *wants_turn); // fills at most MAX_STREAMS * 4
void streams_event(int fd, short events);
void streams_turn(void);

// exec.c and calls.c: in children, but for the calls of the boot.
extern int report_fd; // where the child tells what became of it
_Noreturn void run_exec(const uint8_t *payload, int terminal); // EXEC, known to be sound; -1 without a terminal
_Noreturn void run_calls(void);
bool carry_out_file(const char *path);
_Noreturn void give_up(uint16_t failure, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
void begin(void);

#endif
