// From the kernel to the open port, and the end.
#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
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

// A disk that was made read-only is clean: nothing is left to be replayed.
_Noreturn void power_off(void) {
  sync();
  for (int space = BOX_SPACE; space <= GUEST_SPACE; space++) { // the box first: the guest's system holds it
    if (setns(space, CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0) {
      fprintf(stderr, "box-agent: a disk stays as it is: %s\n", strerror(errno));
    }
  }
  end_machine();
}

// The node of the device in a folder of /sys whose attribute says so. What is seen on the way has a link by that name afterwards: a
// device that is found again, as in a saved machine, is not asked again.
static bool find_device(const char *folder, const char *attribute, const char *wanted, char *path, size_t size) {
  char name[600], found[64];
  bool is_found = false;
  DIR *devices = opendir(folder);
  for (struct dirent *entry; devices && !is_found && (entry = readdir(devices));) {
    snprintf(name, sizeof name, "%s/%s/%s", folder, entry->d_name, attribute);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, found, sizeof found - 1);
    close(fd);
    found[length > 0 ? length : 0] = 0;
    found[strcspn(found, "\n")] = 0;
    is_found = *found && strcmp(found, wanted) == 0;
    snprintf(path, size, "/dev/%s", entry->d_name);
    snprintf(name, sizeof name, "/by/%s", found);
    if (*found) (void)!symlink(path, name);
  }
  if (devices) closedir(devices);
  return is_found;
}

// The driver finds its ports some time after it was loaded.
static int open_port(void) {
  char path[300];
  int64_t end = now_ms() + PORT_WAIT_MS;
  int port = -1;
  for (;;) {
    bool is_there = find_device("/sys/class/virtio-ports", "name", "box.agent", path, sizeof path);
    if (is_there && (port = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)) >= 0) break;
    if (now_ms() > end) die("there is no port named box.agent");
    usleep(1000);
  }
  return port;
}

int boot(void) {
  char path[300];
  if (!carry_out_file("/boot")) die("cannot boot");
  int port = open_port();
  find_device("/sys/block", "serial", "", path, sizeof path);
  prepare_caller();
  return port;
}
