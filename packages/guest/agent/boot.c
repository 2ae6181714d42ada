// From the kernel to the open port.
#include <dirent.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "agent.h"

enum { PORT_WAIT_MS = 30000 };

static char stages[256];

int64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_BOOTTIME, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void note_stage(const char *name) {
  size_t length = strlen(stages);
  snprintf(stages + length, sizeof stages - length, "%s\"%s\":%lld", length > 0 ? "," : "", name, (long long)now_ms());
}

const char *stages_json(void) { return stages; }

_Noreturn void die(const char *what) {
  fprintf(stderr, "box-agent: %s: %s\n", what, strerror(errno));
  if (testing) exit(1);
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

// The initramfs has an order: one file name a line.
static void load_modules(void) {
  char path[300], line[256];
  FILE *order = fopen("/modules/order", "re");
  if (order == NULL) return; // all is built in
  while (fgets(line, sizeof line, order)) {
    line[strcspn(line, "\n")] = 0;
    snprintf(path, sizeof path, "/modules/%s", line);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)) {
      fprintf(stderr, "box-agent: module %s: %s\n", line, strerror(errno));
    }
    close(fd);
  }
  fclose(order);
}

static void make_devices(void) {
  static const char *const links[][2] = {{"/proc/self/fd", "/dev/fd"}, {"/proc/self/fd/0", "/dev/stdin"},
      {"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"}};
  if (mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755") != 0 && errno != EBUSY) die("cannot mount /dev");
  mkdir("/dev/pts", 0755);
  mkdir("/dev/shm", 01777);
  for (int i = 0; i < 4; i++) (void)!symlink(links[i][0], links[i][1]);
  if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=620,gid=5,ptmxmode=666") != 0) {
    fprintf(stderr, "box-agent: no terminals: %s\n", strerror(errno));
  }
  unlink("/dev/ptmx");
  (void)!symlink("pts/ptmx", "/dev/ptmx");
}

void boot(void) {
  char path[300];
  mkdir("/proc", 0555);
  mkdir("/sys", 0555);
  mkdir("/run", 0755);
  mkdir("/by", 0755);
  mkdir("/box", 0755);
  mkdir("/guest", 0755);
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) die("cannot mount /proc");
  if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) die("cannot mount /sys");
  make_devices();
  load_modules();
  note_stage("modules");
  start_loopback();
  find_device("/sys/block", "serial", "", path, sizeof path);
  prepare_mount();
}

// The node of the device in a folder of /sys whose attribute says so. What is seen on the way has a link by that name afterwards: a
// device that is found again, as in a saved machine, is not asked again.
bool find_device(const char *folder, const char *attribute, const char *wanted, char *path, size_t size) {
  char name[600], found[64];
  bool is_found = false;
  snprintf(name, sizeof name, "/by/%s", wanted);
  ssize_t length = readlink(name, path, size - 1);
  if (length > 0) return path[length] = 0, true;
  DIR *devices = opendir(folder);
  for (struct dirent *entry; devices && !is_found && (entry = readdir(devices));) {
    snprintf(name, sizeof name, "%s/%s/%s", folder, entry->d_name, attribute);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    length = fd < 0 ? -1 : read(fd, found, sizeof found - 1);
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
int open_port(void) {
  char path[300];
  int64_t end = now_ms() + PORT_WAIT_MS;
  int port = -1;
  for (;;) {
    bool is_there = find_device("/sys/class/virtio-ports", "name", "box.agent", path, sizeof path);
    if (is_there && (port = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)) >= 0) break;
    if (now_ms() > end) die("there is no port named box.agent");
    usleep(1000);
  }
  note_stage("port");
  return port;
}
