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

enum { PROTOCOL_VERSION = 5, HEADER = 9, MAX_DATA = 65536, MAX_EXEC = 524288 };
enum { WINDOW = 65536, MAX_CREDIT = 1 << 30, MAX_STREAMS = 128 };

// What the host sends, and what the guest does.
enum { EXEC = 1, DATA, END_OF_INPUT, SIGNAL, RESIZE, PING, SHUTDOWN, CALLS, CONNECT = 10, HELLO = 12, CREDIT, CANCEL };
enum { READY = 101, OUT, ERR, EXIT, FAIL, PONG, CLOSED, GUEST_CREDIT, END, STARTED };

// What did not work, as on the wire; the host knows what that means. The first six are faults of the host: they end the session.
enum step {
  F_TYPE = 1, F_LENGTH, F_STREAM, F_NO_SESSION, F_IN_USE, F_FIELDS, F_VERSION, F_GOING_DOWN, F_TOO_MANY, F_MEMORY, F_PROCESS,
  F_TARGET, F_TERMINAL, F_FOLDER, F_USER, F_PROGRAM, F_INTERPRETER, F_CONNECT, F_CONNECTION, F_CANCELLED
};

// Where something happens: in the box's file system, in that of the system that boots, or where the agent is.
enum target { BOX, GUEST, AGENT };

// Descriptors that the boot makes, and that processes which carry out calls have too: the mount namespaces of the targets.
enum { BOX_SPACE = 4, GUEST_SPACE, FIRST_FREE };

// What FAIL says, and what a child tells the agent in one write: step 0 that it has begun.
struct failure {
  uint16_t step;
  uint16_t place; // of the program: which of those where it may be
  int32_t error;
};

// How EXEC begins on the wire. Then come numbers of groups, and NUL-terminated texts: folder, places of the program, arguments, environment.
struct __attribute__((packed)) command {
  uint8_t target, flags;
  uint16_t rows, columns;
  uint32_t uid, gid;
  uint16_t groups, places, args, envs;
};

extern bool testing; // an ordinary process for tests: touches no disk, no clock and no process that is not its own

// port.c: the queue of frames to the host.
void send_frame(uint8_t type, uint32_t id, const void *payload, size_t length);
void send_failure(uint32_t id, uint16_t step, int error, uint16_t place);
uint8_t *reserve_frame(size_t length); // where a payload of up to this length may be put before commit_frame
void commit_frame(uint8_t type, uint32_t id, size_t length);
size_t queued(void);
int flush_queue(int port); // -1: the host is gone
void drop_queue(void);
uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
void put32(uint8_t *at, uint32_t value);

// boot.c: from the kernel to the open port, and the end.
int boot(void); // the port
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
void enter_target(enum target target); // in a child
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
void report(uint16_t step, int error, uint16_t place); // step 0: it has begun
_Noreturn void give_up(uint16_t step, int error, uint16_t place);

#endif
