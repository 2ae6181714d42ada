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
#define DEVICE_BYTES _IOR(0x12, 114, size_t)
#define RESIZE_EXT4 _IOW('f', 16, uint64_t)
#define ADD_ENTROPY _IOW('R', 3, int[2])
#define RESEED _IO('R', 7)

struct order {
  bool has_guest, read_only, grows, has_network;
  const char *box_serial, *guest_serial, *files, *end;
};

bool is_mounted;
static int own_space = -1, spaces[2] = {-1, -1}; // mount namespaces of the agent and of the targets
static const char *test_root;
static int order_fd = -1, result_fd = -1; // to and from the child that mounts
static bool is_mounting, has_guest;
static uint32_t mount_id;
static struct report result; // of the child; its text gathers warnings

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
  _exit(0);
}

// A folder right below an open one, made if need be; links are never followed.
int open_folder(int root, const char *name, mode_t mode) {
  uint64_t how[3] = {O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, NO_SYMLINKS | BENEATH};
  int fd = (int)syscall(SYS_openat2, root, name, how, sizeof how);
  if (fd >= 0 || errno != ENOENT || mkdirat(root, name, mode) != 0) return fd;
  return (int)syscall(SYS_openat2, root, name, how, sizeof how);
}

// Moves what was mounted for a namespace when it was made into a root. What leads to the others is in /proc, which comes last.
static void mount_system(int root, bool has_run) {
  static const char *const names[] = {"/sys", "/dev", "/run", "/proc"};
  for (int i = 0; i < 4; i++) {
    char path[64];
    if (i == 2 && !has_run) continue;
    int fd = open_folder(root, names[i] + 1, 0755);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd < 0 || mount(names[i], path, NULL, MS_MOVE, NULL) != 0) warn(names[i] + 1, errno);
    if (fd >= 0) close(fd);
  }
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

static void grow(int root, const char *device) {
  uint8_t super[1024]; // s_blocks_count is at 4 and 0x150, s_log_block_size at 24
  uint64_t bytes = 0;
  int disk = open(device, O_RDONLY | O_CLOEXEC);
  bool is_known = ioctl(disk, DEVICE_BYTES, &bytes) == 0 && pread(disk, super, sizeof super, 1024) == sizeof super;
  int error = errno;
  close(disk);
  if (!is_known) return warn("grow", error);
  uint64_t blocks = bytes >> (10 + super[24] % 16), has = get32(super + 4) | (uint64_t)get32(super + 0x150) << 32;
  // One that cannot grow is not asked to: that would write its journal out.
  if (blocks != has && ioctl(root, RESIZE_EXT4, &blocks) != 0) warn("grow", errno);
}

static bool find_disk(const char *serial, char *path, size_t size) {
  int64_t end = now_ms() + DISK_WAIT_MS;
  while (!find_device("/sys/block", "serial", serial, path, size)) {
    if (now_ms() > end) return false;
    usleep(2000);
  }
  return true;
}

// Mounts a disk in the namespace of its target. Nothing has it open before, so that nothing of it is remembered, in a saved machine too.
static int mount_disk(enum target target, const char *serial, const char *path, const struct order *order) {
  char device[300];
  bool is_read_only = target == BOX && order->read_only;
  if (setns(spaces[target], CLONE_NEWNS) != 0) finish(F_MOUNT, errno, "cannot enter the namespace of ", serial);
  if (!find_disk(serial, device, sizeof device)) finish(F_NO_DISK, ENXIO, "no disk has the serial ", serial);
  if (mount(device, path, "ext4", is_read_only ? MS_RDONLY : 0, "") != 0) finish(F_MOUNT, errno, "cannot mount the disk ", serial);
  int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) finish(F_MOUNT, errno, "cannot open the file system of ", serial);
  if (target == BOX && order->grows && !is_read_only) grow(root, device);
  lay_over(root, order, target == BOX);
  // As with docker, a box has what its image has in /run, and as with podman one that cannot write there has memory in its place.
  mount_system(root, target == GUEST || is_read_only);
  return root;
}

// Makes a folder the root of this process's namespace. By its path: descriptors stay in the namespace that they come from.
static void take_root(const char *path, const char *serial) {
  if (chdir(path) != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0) {
    finish(F_MOUNT, errno, "cannot enter the file system of ", serial);
  }
}

static _Noreturn void mount_all(const struct order *order) {
  if (order->has_network) start_card();
  close(mount_disk(BOX, order->box_serial, "/box", order));
  int box = order->has_guest ? (int)syscall(SYS_open_tree, AT_FDCWD, "/box", 1 | AT_RECURSIVE | O_CLOEXEC) : -1; // 1: a clone
  take_root("/box", order->box_serial);
  if (order->has_guest) {
    int guest = mount_disk(GUEST, order->guest_serial, "/guest", order);
    // Tools of the guest's system see the box there. A disk of an image may have no space for a folder more; /run is in memory.
    int place = open_folder(guest, "box", 0755);
    if (place < 0) place = open_folder(guest, "run/box", 0755);
    if (place < 0 || syscall(SYS_move_mount, box, "", place, "", 0x44) != 0) { // 0x44: both are the descriptors themselves
      finish(F_MOUNT, errno, "the guest's system has no place for the box", "");
    }
    take_root("/guest", order->guest_serial);
  }
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

static _Noreturn void wait_for_order(int orders) {
  static uint8_t payload[MAX_CONTROL];
  ssize_t length = read(orders, payload, sizeof payload);
  if (length <= 0) _exit(0);
  const char *hostname = (const char *)payload + FIXED;
  const char *box = hostname + strlen(hostname) + 1, *guest = box + strlen(box) + 1;
  struct order order = {payload[0] == 1, payload[1] & 1, payload[1] & 2, payload[1] & 4, box, guest,
      guest + strlen(guest) + 1, (const char *)payload + length};
  seed_and_set_clock(payload);
  if (sethostname(hostname, strlen(hostname)) != 0) warn("hostname", errno);
  mount_all(&order);
}

// Makes the namespaces of the targets, and a child that waits for the order to mount their disks: a machine that goes on from a
// saved one has all that already. The child can wait for a disk; the agent cannot.
void prepare_mount(void) {
  int orders[2], results[2];
  if (own_space < 0) {
    own_space = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    (void)unshare(CLONE_FS); // kernel threads have the first process's root; who shares one cannot change namespaces
  }
  for (int i = 0; i < 2; i++) {
    close(spaces[i]);
    if (setns(own_space, CLONE_NEWNS) != 0 || unshare(CLONE_NEWNS) != 0) die("cannot make a namespace");
    if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0 ||
        mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0) die("cannot mount memory");
    spaces[i] = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  }
  close(order_fd);
  close(result_fd);
  if (setns(own_space, CLONE_NEWNS) != 0 || pipe2(orders, O_CLOEXEC) != 0 || pipe2(results, O_CLOEXEC) != 0) die("cannot make a namespace");
  pid_t pid = fork();
  if (pid < 0) die("cannot fork");
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    close(orders[1]);
    result_fd = results[1];
    memset(&result, 0, sizeof result);
    wait_for_order(orders[0]);
  }
  close(orders[0]);
  close(results[1]);
  order_fd = orders[1];
  result_fd = results[0];
}

bool mount_begin(uint32_t id, const uint8_t *payload, size_t length) {
  size_t texts = 0;
  for (size_t i = FIXED; i < length; i++) texts += payload[i] == 0;
  if (payload[0] > 1 || payload[1] > 7 || texts < 3 || texts % 2 == 0 || payload[length - 1] != 0) return false;
  if (is_mounted) return report_mounted(id, true), true;
  if (is_mounting) return send_failure(id, F_NOT_READY, EALREADY, "the disks are being mounted"), true;
  if (testing) return report_mounted(id, false), true;
  if (write(order_fd, payload, length) != (ssize_t)length) return send_failure(id, F_ERRNO, errno, "nobody mounts disks"), true;
  has_guest = payload[0] == 1;
  mount_id = id;
  is_mounting = true;
  return true;
}

int mount_fd(void) { return is_mounting ? result_fd : -1; }

void mount_event(void) {
  ssize_t got = read(result_fd, &result, sizeof result);
  is_mounting = false;
  if (got == sizeof result && !result.failure) return report_mounted(mount_id, false);
  if (got == sizeof result) send_failure(mount_id, result.failure, result.error, result.text);
  else send_failure(mount_id, F_MOUNT, EIO, "mounting ended early");
  prepare_mount();
}

// The size of the box's file system, and the beginnings of what the kernel tells of itself.
void tell_stats(uint32_t id) {
  static const char *const files[] = {"/proc/uptime", "/proc/stat", "/proc/meminfo"};
  enum { MOST = 1024 };
  char *text = (char *)reserve_frame(4 * MOST);
  struct statfs disk = {0};
  if (!testing) setns(spaces[BOX], CLONE_NEWNS);
  statfs(testing ? test_root : "/", &disk);
  if (!testing) setns(own_space, CLONE_NEWNS);
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

void choose_test_root(const char *root) { test_root = root; }

bool has_target(enum target target) { return target == BOX || has_guest; }

int enter_target(enum target target) {
  if (testing) return chdir(test_root) != 0 || (strcmp(test_root, "/") != 0 && chroot(".") != 0) ? errno : 0;
  return setns(spaces[target], CLONE_NEWNS) != 0 || chdir("/") != 0 ? errno : 0;
}

// A disk that was made read-only is clean: nothing is left to be replayed.
_Noreturn void power_off(void) {
  if (testing) exit(0);
  sync();
  for (int i = 0; is_mounted && i < 1 + has_guest; i++) { // the box first: the guest's system holds it
    if (setns(spaces[i], CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0) {
      fprintf(stderr, "box-agent: a disk stays as it is: %s\n", strerror(errno));
    }
  }
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}
