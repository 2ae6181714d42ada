// What a stream is; for those who open streams and those who serve them.
#ifndef STREAM_H
#define STREAM_H

#include "agent.h"

enum kind { FREE, PREPARED, COMMAND, CALLER, CONNECTION }; // prepared: a caller that nobody has asked for yet

struct channel {
  int fd;           // -1 when it has ended
  uint32_t credit;  // what the host takes
  int left;         // -1 while the command runs; then how much is read of what it left
};

struct stream {
  uint32_t id;
  enum kind kind;
  pid_t pid;                // 0 when it has ended
  int report_fd;            // where the child tells that it could not begin
  int in_fd;                // -1 when nobody reads
  uint8_t *in;              // what waits to be written to it
  size_t in_start, in_length;
  uint32_t window, owed;    // what the host may send; what it will be granted
  bool in_ends, is_terminal, started, connecting, ended;
  struct channel out[2];
};

struct stream *open_stream(uint32_t id, enum kind kind); // NULL after telling that there are too many
void fail_stream(struct stream *s, uint16_t step, int error, uint16_t place);
void connection_made(struct stream *s);

#endif
