// From the kernel to the open port, and the end.
#include <sys/reboot.h>
#include <time.h>

#include "agent.h"

enum { PORT_WAIT_MS = 30000 };

int64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_BOOTTIME, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static _Noreturn void end_machine(void) {
  if (testing) exit(0);
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

_Noreturn void die(const char *what) {
  fprintf(stderr, "box-agent: %s: %s\n", what, strerror(errno));
  end_machine();
}

_Noreturn void power_off(void) {
  carry_out_file("/end");
  end_machine();
}

// The first port of the first device. The driver makes it some time after it was loaded.
static int open_port(void) {
  for (int64_t end = now_ms() + PORT_WAIT_MS; now_ms() < end; usleep(1000)) {
    int port = open("/dev/vport0p1", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (port >= 0) return port;
  }
  die("there is no port to a host");
}

int boot(void) {
  if (!carry_out_file("/boot")) die("cannot boot");
  int port = open_port();
  prepare_caller();
  return port;
}
