// Carries out system calls that the host asks for, in children, and those of the boot. What is to be done is known on the host.
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent.h"

// The memory of calls. The host knows where it lies: what it sends can hold addresses. Nothing is mapped right beside it.
#define MEMORY ((uint8_t *)0x1000000000)
enum { MEMORY_SIZE = 1 << 20, ARGUMENTS = 5, WHOLE_RESULT = -1 };

// What may be called, by its place here: numbers differ between architectures.
static const uint16_t names[] = {SYS_close, SYS_read, SYS_write, SYS_openat, SYS_openat2, SYS_statx, SYS_getdents64,
    SYS_readlinkat, SYS_mkdirat, SYS_unlinkat, SYS_symlinkat, SYS_linkat, SYS_fchmod, SYS_fchownat, SYS_utimensat, SYS_pread64,
    SYS_statfs, SYS_ioctl, SYS_mount, SYS_open_tree, SYS_move_mount, SYS_setns, SYS_unshare, SYS_chdir, SYS_chroot, SYS_sethostname,
    SYS_clock_settime, SYS_socket, SYS_dup3, SYS_finit_module};

// As on the wire. Offsets are in the memory, and wrap at its end.
struct call {
  uint16_t name;
  uint16_t loads;          // a bit for each argument that is read from the memory
  uint32_t goes_on;        // a bit for each error that the calls go on after; the lowest: after any
  uint32_t result_at;      // where its result is put, 0 or more, or the error as a negative number
  uint32_t output_at;      // what is told with its result when it succeeded
  int32_t output_length;   // or WHOLE_RESULT: as many bytes as its result says
  uint32_t unless_at;      // the call is left out when this place, unless it is 0, has 0 or more, which is its result then
  uint64_t arguments[ARGUMENTS];
};

struct batch {
  uint32_t length, count; // of what is put into the memory; of the calls that it ends with
};

static uint8_t output[65536];
static size_t output_length;

static int64_t *word_at(uint64_t offset) { return (int64_t *)(MEMORY + offset % MEMORY_SIZE / 8 * 8); }

static bool read_all(int fd, void *at, size_t length) {
  for (ssize_t got; length > 0; at = (uint8_t *)at + got, length -= (size_t)got) {
    if ((got = read(fd, at, length)) <= 0) return false;
  }
  return true;
}

static void flush_output(int fd) {
  size_t done = 0;
  for (ssize_t got; done < output_length; done += (size_t)got) {
    if ((got = write(fd, output + done, output_length - done)) < 0) _exit(1);
  }
  output_length = 0;
}

static void tell(int fd, const void *at, size_t length) {
  for (size_t part; length > 0; at = (const uint8_t *)at + part, length -= part) {
    part = length < sizeof output - output_length ? length : sizeof output - output_length;
    memcpy(output + output_length, at, part);
    output_length += part;
    if (output_length == sizeof output) flush_output(fd);
  }
}

static int64_t carry_out(const struct call *call) {
  uint64_t values[ARGUMENTS];
  if (call->name >= sizeof names / sizeof *names) return -ENOSYS;
  for (int i = 0; i < ARGUMENTS; i++) {
    values[i] = call->loads >> i & 1 ? (uint64_t)*word_at(call->arguments[i]) : call->arguments[i];
  }
  int64_t result = syscall(names[call->name], values[0], values[1], values[2], values[3], values[4]);
  return result < 0 ? -errno : result;
}

static bool expects(const struct call *call, int64_t result) {
  return result >= 0 || (result > -32 && call->goes_on >> -result & 1);
}

static void tell_result(int fd, const struct call *call, int64_t result) {
  tell(fd, &result, sizeof result);
  if (result < 0 || call->output_length == 0) return;
  size_t length = (size_t)(call->output_length == WHOLE_RESULT ? result : call->output_length);
  size_t at = call->output_at % MEMORY_SIZE;
  tell(fd, MEMORY + at, length < MEMORY_SIZE - at ? length : MEMORY_SIZE - at);
}

// Each call is answered by its result and output, also one that was not reached. After a failure that is not expected nothing more is done.
static bool carry_out_batch(int fd, const struct batch *batch) {
  bool goes_on = true;
  for (size_t i = 0; i < batch->count; i++) {
    struct call call;
    memcpy(&call, MEMORY + batch->length - (batch->count - i) * sizeof call, sizeof call);
    int64_t other = call.unless_at ? *word_at(call.unless_at) : -1, result = -ECANCELED;
    if (goes_on) *word_at(call.result_at) = result = other >= 0 ? other : carry_out(&call);
    if (fd >= 0) tell_result(fd, &call, result);
    else if (goes_on && !expects(&call, result)) fprintf(stderr, "box-agent: step %zu: %s\n", i, strerror((int)-result));
    goes_on = goes_on && (expects(&call, result) || (call.goes_on & 1));
  }
  if (fd >= 0) flush_output(fd);
  return goes_on;
}

// Reads a batch into the memory, which is empty before the first; false at the end. One that does not fit ends the process.
static bool read_batch(int fd, struct batch *batch) {
  if (!read_all(fd, batch, sizeof *batch)) return false;
  if (batch->length > MEMORY_SIZE || batch->count > batch->length / sizeof(struct call)) _exit(2);
  if (!read_all(fd, MEMORY, batch->length)) _exit(2);
  return true;
}

static void make_memory(void) {
  void *memory = mmap(MEMORY, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (memory != MEMORY) _exit(1);
}

_Noreturn void run_calls(int in, int out) {
  struct batch batch;
  make_memory();
  umask(0);
  begin();
  while (read_batch(in, &batch)) {
    if (!carry_out_batch(out, &batch)) _exit(1);
  }
  _exit(0);
}

// Of a file, by the agent itself; what goes wrong is said on the console.
bool carry_out_file(int file) {
  struct batch batch;
  make_memory();
  bool is_done = read_batch(file, &batch) && carry_out_batch(-1, &batch);
  munmap(MEMORY, MEMORY_SIZE);
  return is_done;
}
