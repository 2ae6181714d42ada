// The disks, the namespaces that commands live in, and the end.
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "agent.h"

enum { DISK_WAIT_MS = 2000, SEED = 64, FIXED = 2 + 8 + SEED };
#define FLUSH_BUFFERS _IO(0x12, 97)
#define DEVICE_BYTES _IOR(0x12, 114, size_t)
#define RESIZE_EXT4 _IOW('f', 16, uint64_t)
#define ADD_ENTROPY _IOW('R', 3, int[2])
#define RESEED _IO('R', 7)

struct order {
  bool has_guest, read_only, grows, has_network;
  const char *box_serial, *guest_serial, *files, *end;
};

bool is_mounted;
static int spaces[2] = {-1, -1}; // mount namespaces of the targets
static int box_root = -1;
static const char *test_root;
static int result_fd = -1;
static uint32_t mount_id;
static pid_t mount_pid;
static struct report result; // of the child that mounts; its text gathers warnings

void warn(const char *step, int error) {
  size_t length = strlen(result.text);
  snprintf(result.text + length, sizeof result.text - length, "%s{\"step\":\"%s\",\"errno\":%d}", length > 0 ? "," : "",
      step, error);
  // One that is cut would be no JSON.
  if (result.text[strlen(result.text) - 1] != '}') result.text[length] = 0;
}

static _Noreturn void finish(uint16_t failure, int error, const char *what, const char *name) {
  result.failure = failure;
  result.error = error;
  if (failure) snprintf(result.text, sizeof result.text, "%s%s", what, name);
  (void)!write(result_fd, &result, sizeof result);
  if (failure) _exit(1);
  for (;;) pause(); // holds its namespace until the agent has it
}

// A folder right below an open one, made if need be; links are never followed.
int open_folder(int root, const char *name, mode_t mode) {
  uint64_t how[3] = {O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, NO_SYMLINKS | BENEATH};
  int fd = (int)syscall(SYS_openat2, root, name, how, sizeof how);
  if (fd >= 0 || errno != ENOENT || mkdirat(root, name, mode) != 0) return fd;
  return (int)syscall(SYS_openat2, root, name, how, sizeof how);
}

static void mount_at(int root, const char *name, const char *type, unsigned long flags, const char *options) {
  char path[64];
  int fd = open_folder(root, name, 0755);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  // A bind mount is named by its source in place of a type.
  const char *source = flags & MS_BIND ? options : type;
  if (fd < 0 || mount(source, path, type, flags, flags & MS_BIND ? NULL : options) != 0) warn(name, errno);
  if (fd >= 0) close(fd);
}

static void mount_system(int root, bool has_run) {
  unsigned long safe = MS_NOSUID | MS_NODEV;
  mount_at(root, "proc", "proc", safe | MS_NOEXEC, NULL);
  mount_at(root, "sys", "sysfs", safe | MS_NOEXEC, NULL);
  mount_at(root, "dev", "devtmpfs", MS_NOSUID, "mode=755");
  mount_at(root, "dev/pts", NULL, MS_BIND, "/dev/pts");
  mount_at(root, "dev/shm", "tmpfs", safe, "mode=1777");
  if (has_run) mount_at(root, "run", "tmpfs", safe, "mode=755");
}

// Lays files in memory over those of /etc, over links too, which are not followed. One that is missing gets an empty file to
// mount over, as with docker. The guest's own system does without what it has no space for.
static void lay_over(int root, const struct order *order, bool is_box) {
  uint64_t how[3] = {O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, NO_SYMLINKS | BENEATH};
  int etc = open_folder(root, "etc", 0755);
  for (const char *name = order->files, *text; name < order->end; name = text + strlen(text) + 1) {
    char source[64], path[64];
    text = name + strlen(name) + 1;
    snprintf(source, sizeof source, "/%s", name);
    int file = open(source, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int fd = etc < 0 ? -1 : (int)syscall(SYS_openat2, etc, name, how, sizeof how);
    if (etc >= 0 && fd < 0 && errno == ENOENT) fd = openat(etc, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool is_laid = fd >= 0 && write(file, text, strlen(text)) >= 0 && mount(source, path, NULL, MS_BIND, NULL) == 0;
    if (!is_laid && is_box) warn(name, errno);
    close(file);
    close(fd);
  }
  close(etc);
}

static void find_disk(const char *serial, char *path, size_t size) {
  int64_t end = now_ms() + DISK_WAIT_MS;
  while (!find_device("/sys/block", "serial", serial, path, size)) {
    if (now_ms() > end) finish(F_NO_DISK, ENXIO, "no disk has the serial ", serial);
    usleep(2000);
  }
}

static void grow(int root, int disk) {
  struct statfs stat;
  uint64_t bytes = 0;
  if (ioctl(disk, DEVICE_BYTES, &bytes) != 0 || fstatfs(root, &stat) != 0) return warn("grow", errno);
  uint64_t blocks = bytes / (uint64_t)stat.f_bsize;
  if (ioctl(root, RESIZE_EXT4, &blocks) != 0) warn("grow", errno);
}

// Mounts a disk; what was read from it before, as in a saved machine, is forgotten.
static int mount_disk(const char *serial, const char *path, const struct order *order, bool is_box) {
  char device[300];
  bool is_read_only = is_box && order->read_only;
  find_disk(serial, device, sizeof device);
  int disk = open(device, O_RDONLY | O_CLOEXEC);
  if (disk < 0) finish(F_MOUNT, errno, "cannot open the disk ", serial);
  ioctl(disk, FLUSH_BUFFERS, 0);
  if (mount(device, path, "ext4", is_read_only ? MS_RDONLY : 0, "") != 0) finish(F_MOUNT, errno, "cannot mount the disk ", serial);
  int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) finish(F_MOUNT, errno, "cannot open the file system of ", serial);
  if (is_box && order->grows && !is_read_only) grow(root, disk);
  close(disk);
  // As with docker, a box has what its image has in /run, and as with podman one that cannot write there has memory in its place.
  mount_system(root, !is_box || is_read_only);
  lay_over(root, order, is_box);
  return root;
}

// Makes a folder the root of this process's namespace. By its path: descriptors stay in the namespace that they come from.
static void take_root(const char *path, const char *serial) {
  if (chdir(path) != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0) {
    finish(F_MOUNT, errno, "cannot enter the file system of ", serial);
  }
}

static _Noreturn void mount_all(const struct order *order) {
  const char *box = "/box";
  if (unshare(CLONE_NEWNS) != 0) finish(F_MOUNT, errno, "cannot make a namespace", "");
  if (order->has_network) start_card();
  if (order->has_guest) {
    int guest = mount_disk(order->guest_serial, "/guest", order, false);
    // Tools of the guest's system see the box there. A disk of an image may have no space for a folder more; /run is in memory.
    box = open_folder(guest, "box", 0755) >= 0 ? "/guest/box" : "/guest/run/box";
    if (strcmp(box, "/guest/run/box") == 0 && open_folder(guest, "run/box", 0755) < 0) {
      finish(F_MOUNT, errno, "the guest's system has no place for the box", "");
    }
    close(guest);
  }
  close(mount_disk(order->box_serial, box, order, true));
  result.pids[GUEST] = order->has_guest ? getpid() : 0;
  if (order->has_guest) {
    int ready[2];
    char byte = 0;
    if (pipe(ready) != 0) finish(F_MOUNT, errno, "no pipe", "");
    pid_t pid = fork();
    if (pid < 0) finish(F_MOUNT, errno, "cannot fork", "");
    if (pid > 0) {
      close(ready[1]);
      if (read(ready[0], &byte, 1) != 1) _exit(1); // it has told why
      take_root("/guest", order->guest_serial);
      result.pids[BOX] = pid;
      finish(0, 0, "", "");
    }
    if (unshare(CLONE_NEWNS) != 0) finish(F_MOUNT, errno, "cannot make a namespace", "");
    take_root(box, order->box_serial);
    (void)!write(ready[1], &byte, 1);
    for (;;) pause();
  }
  take_root(box, order->box_serial);
  result.pids[BOX] = getpid();
  finish(0, 0, "", "");
}

static void seed_and_set_clock(const uint8_t *payload) {
  struct { int bits, size; uint8_t bytes[SEED]; } entropy = {SEED * 8, SEED, {0}};
  uint64_t time = get64(payload + 2);
  struct timespec clock = {(time_t)(time / 1000000000), (long)(time % 1000000000)};
  int random = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
  memcpy(entropy.bytes, payload + 10, SEED);
  if (random < 0 || ioctl(random, ADD_ENTROPY, &entropy) != 0 || ioctl(random, RESEED, 0) != 0) warn("seed", errno);
  close(random);
  if (clock_settime(CLOCK_REALTIME, &clock) != 0) warn("clock", errno);
}

static void report_mounted(uint32_t id, bool was_mounted) {
  char json[700];
  int length = snprintf(json, sizeof json, "{\"wasMounted\":%s,\"warnings\":[%s]}", was_mounted ? "true" : "false",
      was_mounted ? "" : result.text);
  is_mounted = true;
  send_frame(MOUNTED, id, json, (size_t)length);
}

bool mount_begin(uint32_t id, const uint8_t *payload, size_t length) {
  size_t texts = 0;
  for (size_t i = FIXED; i < length; i++) texts += payload[i] == 0;
  if (payload[0] > 1 || payload[1] > 7 || texts < 3 || texts % 2 == 0 || payload[length - 1] != 0) return false;
  if (is_mounted) return report_mounted(id, true), true;
  if (result_fd >= 0) return send_failure(id, F_NOT_READY, EALREADY, "the disks are being mounted"), true;
  const char *hostname = (const char *)payload + FIXED;
  const char *box = hostname + strlen(hostname) + 1, *guest = box + strlen(box) + 1;
  struct order order = {payload[0] == 1, payload[1] & 1, payload[1] & 2, payload[1] & 4, box, guest,
      guest + strlen(guest) + 1, (const char *)payload + length};
  memset(&result, 0, sizeof result);
  if (testing) return report_mounted(id, false), true;
  seed_and_set_clock(payload);
  if (sethostname(hostname, strlen(hostname)) != 0) warn("hostname", errno);
  start_loopback();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return send_failure(id, F_ERRNO, errno, "no pipe"), true;
  mount_pid = fork();
  if (mount_pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    result_fd = ends[1];
    mount_all(&order);
  }
  close(ends[1]);
  mount_id = id;
  result_fd = ends[0];
  if (mount_pid > 0) return true;
  close(result_fd);
  result_fd = -1;
  return send_failure(id, F_ERRNO, errno, "cannot fork"), true;
}

int mount_fd(void) { return result_fd; }

void mount_event(void) {
  char path[64];
  ssize_t got = read(result_fd, &result, sizeof result);
  close(result_fd);
  result_fd = -1;
  if (got != sizeof result) return send_failure(mount_id, F_MOUNT, EIO, "mounting ended early");
  if (result.failure) return send_failure(mount_id, result.failure, result.error, result.text);
  for (int i = 0; i < 2; i++) {
    if (result.pids[i] == 0) continue;
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", result.pids[i]);
    spaces[i] = open(path, O_RDONLY | O_CLOEXEC);
  }
  snprintf(path, sizeof path, "/proc/%d/root", result.pids[BOX]);
  box_root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < 2; i++) {
    if (result.pids[i] > 0) kill(result.pids[i], SIGKILL);
  }
  if (spaces[BOX] < 0) return send_failure(mount_id, F_MOUNT, errno, "cannot open the namespace");
  report_mounted(mount_id, false);
}

// The size of the box's file system, and the beginnings of what the kernel tells of itself.
void tell_stats(uint32_t id) {
  static const char *const files[] = {"/proc/uptime", "/proc/stat", "/proc/meminfo"};
  enum { MOST = 1024 };
  char *text = (char *)reserve_frame(4 * MOST);
  struct statfs disk = {0};
  fstatfs(box_root, &disk);
  uint64_t unit = (uint64_t)disk.f_bsize;
  int length = snprintf(text, MOST, "disk %llu %llu\ncpus %ld\n", (unsigned long long)(disk.f_blocks * unit),
      (unsigned long long)(disk.f_bfree * unit), sysconf(_SC_NPROCESSORS_ONLN));
  for (int i = 0; i < 3; i++) {
    int fd = open(files[i], O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, text + length, MOST - 1);
    close(fd);
    if (got > 0) length += (int)got;
    text[length++] = '\n';
  }
  commit_frame(STATS_TOLD, id, (size_t)length);
}

void choose_test_root(const char *root) {
  test_root = root;
  box_root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

bool has_target(enum target target) { return testing ? target == BOX : spaces[target] >= 0; }

int enter_target(enum target target) {
  if (testing) return chdir(test_root) != 0 || (strcmp(test_root, "/") != 0 && chroot(".") != 0) ? errno : 0;
  return setns(spaces[target], CLONE_NEWNS) != 0 || chdir("/") != 0 ? errno : 0;
}

// Read-only is clean: nothing is left to be replayed. In a child, as the first process shares its root with kernel threads.
static void make_clean(int space) {
  pid_t pid = fork();
  if (pid == 0) {
    if (setns(space, CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0) {
      fprintf(stderr, "box-agent: a disk stays as it is: %s\n", strerror(errno));
    }
    _exit(0);
  }
  while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
}

_Noreturn void power_off(void) {
  if (testing) exit(0);
  sync();
  for (int i = 0; i < 2; i++) {
    if (spaces[i] >= 0) make_clean(spaces[i]); // the box first: the guest's system holds it
  }
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}
