// The queue of frames to the host, and numbers as they are on the wire.
#include "agent.h"

// Data is queued up to a quarter of this, and input is taken up to half: what is left holds every answer that can be due at once.
enum { CAPACITY = 512 * 1024 };

static uint8_t queue[CAPACITY];
static size_t head, tail;

uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }
uint32_t get32(const uint8_t *at) { return get16(at) | (uint32_t)get16(at + 2) << 16; }

void put32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

size_t queued(void) { return tail - head; }
void drop_queue(void) { head = tail = 0; }

uint8_t *reserve_frame(size_t length) {
  if (tail + HEADER + length > CAPACITY) {
    memmove(queue, queue + head, tail - head);
    tail -= head;
    head = 0;
  }
  if (tail + HEADER + length > CAPACITY) die("the queue to the host is full");
  return queue + tail + HEADER;
}

void commit_frame(uint8_t type, uint32_t id, size_t length) {
  put32(queue + tail, (uint32_t)length);
  queue[tail + 4] = type;
  put32(queue + tail + 5, id);
  tail += HEADER + length;
}

void send_frame(uint8_t type, uint32_t id, const void *payload, size_t length) {
  uint8_t *at = reserve_frame(length);
  if (length > 0) memcpy(at, payload, length);
  commit_frame(type, id, length);
}

void send_failure(uint32_t id, uint16_t step, int error, uint16_t place) {
  struct failure failure = {step, place, error};
  send_frame(FAIL, id, &failure, sizeof failure);
}

int flush_queue(int port) {
  while (head < tail) {
    ssize_t written = write(port, queue + head, tail - head);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno == EAGAIN ? 0 : -1;
    head += (size_t)written;
  }
  head = tail = 0;
  return 0;
}
