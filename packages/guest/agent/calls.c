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
    SYS_clock_settime, SYS_socket, SYS_dup3, SYS_finit_module, SYS_prlimit64, SYS_reboot};

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

static int64_t *word_at(uint64_t offset) { return (int64_t *)(MEMORY + offset % MEMORY_SIZE / 8 * 8); }

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

static void tell_result(const struct call *call, int64_t result) {
  fwrite(&result, sizeof result, 1, stdout);
  if (result < 0 || call->output_length == 0) return;
  size_t length = (size_t)(call->output_length == WHOLE_RESULT ? result : call->output_length);
  size_t at = call->output_at % MEMORY_SIZE;
  fwrite(MEMORY + at, 1, length < MEMORY_SIZE - at ? length : MEMORY_SIZE - at, stdout);
}

// Each call is answered by its result and output, also one that was not reached; those of a file say on the console what went wrong.
// After a failure that is not expected nothing more is done.
static bool carry_out_batch(const struct batch *batch, const char *file) {
  bool goes_on = true;
  for (size_t i = 0; i < batch->count; i++) {
    struct call call;
    memcpy(&call, MEMORY + batch->length - (batch->count - i) * sizeof call, sizeof call);
    int64_t other = call.unless_at ? *word_at(call.unless_at) : -1, result = -ECANCELED;
    if (goes_on) *word_at(call.result_at) = result = other >= 0 ? other : carry_out(&call);
    bool is_odd = goes_on && !expects(&call, result);
    if (file == NULL) tell_result(&call, result);
    else if (is_odd) fprintf(stderr, "box-agent: step %zu of %s: %s\n", i, file, strerror((int)-result));
    goes_on = goes_on && (expects(&call, result) || (call.goes_on & 1));
  }
  return goes_on;
}

// Reads a batch into the memory, which is empty before the first; false at the end. One that does not fit ends the process.
static bool read_batch(FILE *file, struct batch *batch) {
  if (fread(batch, sizeof *batch, 1, file) != 1) return false;
  if (batch->length > MEMORY_SIZE || batch->count > batch->length / sizeof(struct call)) _exit(2);
  if (fread(MEMORY, 1, batch->length, file) != batch->length) _exit(2);
  return true;
}

static void make_memory(void) {
  void *memory = mmap(MEMORY, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (memory != MEMORY) _exit(1);
}

_Noreturn void run_calls(void) {
  static char buffer[65536];
  struct batch batch;
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  make_memory();
  umask(0);
  report(0, 0, 0);
  while (read_batch(stdin, &batch)) {
    bool goes_on = carry_out_batch(&batch, NULL);
    if (fflush(stdout) != 0 || ferror(stdout) || !goes_on) _exit(1);
  }
  _exit(0);
}

// By the agent itself.
bool carry_out_file(const char *path) {
  struct batch batch;
  FILE *file = fopen(path, "re");
  make_memory();
  bool is_done = file && read_batch(file, &batch) && carry_out_batch(&batch, path);
  if (file) fclose(file);
  return is_done;
}
