// In a child, inside the target's root: writes and reads trees of files as records on its standard streams.
#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent.h"

enum { RECORD = 33, LONGEST = 4095 };
enum { FILE_RECORD = 1, FOLDER_RECORD, LINK_RECORD, HARD_LINK_RECORD };

struct record {
  uint8_t kind;
  uint32_t mode, uid, gid;
  int64_t mtime;
  uint64_t size;
  char path[LONGEST + 1], link[LONGEST + 1];
};

struct folder { // whose times are set when its content is there
  struct folder *next;
  struct timespec mtime;
  char path[];
};

static bool owners;
static struct folder *folders;
static uint8_t buffer[65536];

static _Noreturn void fail(const char *what, const char *path) {
  int error = errno;
  give_up(error == ENOENT ? F_NOT_FOUND : F_ERRNO, error, "%s %.400s: %s", what, path, strerror(error));
}

static bool read_all(void *at, size_t length) {
  size_t have = 0;
  for (ssize_t got; have < length && (got = read(0, (uint8_t *)at + have, length - have)) > 0;) have += (size_t)got;
  if (have > 0 && have < length) give_up(F_INVALID, EIO, "the input ends within a record");
  return have == length;
}

static void write_all(int fd, const void *at, size_t length, const char *path) {
  for (ssize_t done; length > 0; at = (const uint8_t *)at + done, length -= (size_t)done) {
    if ((done = write(fd, at, length)) < 0) fail("cannot write", path);
  }
}

static bool is_below(const char *path) {
  while (*path) {
    size_t length = strcspn(path, "/");
    if (length == 0 || (length <= 2 && strspn(path, ".") == length)) return false;
    path += length;
    if (*path == '/' && *++path == 0) return false;
  }
  return true;
}

static bool read_record(struct record *r) {
  uint8_t head[RECORD];
  if (!read_all(head, RECORD)) return false;
  size_t path = get16(head + 29), link = get16(head + 31);
  *r = (struct record){.kind = head[0], .mode = get32(head + 1), .uid = get32(head + 5), .gid = get32(head + 9),
      .mtime = (int64_t)get64(head + 13), .size = get64(head + 21)};
  if (path == 0 || path > LONGEST || link > LONGEST || r->kind < FILE_RECORD || r->kind > HARD_LINK_RECORD || r->mode > 07777) {
    give_up(F_INVALID, EINVAL, "a record is damaged");
  }
  if (!read_all(r->path, path) || (link > 0 && !read_all(r->link, link))) give_up(F_INVALID, EIO, "a record is cut");
  if (strlen(r->path) != path || !is_below(r->path) || (r->kind >= LINK_RECORD) != (*r->link != 0) ||
      (r->kind == HARD_LINK_RECORD && !is_below(r->link))) {
    give_up(F_INVALID, EINVAL, "a record has a name that is none");
  }
  return true;
}

// The folder that a path is in; nothing on the way may be a link.
static int open_parent(int root, const char *path, const char **name) {
  char parent[LONGEST + 1] = ".";
  uint64_t how[3] = {O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, NO_SYMLINKS | BENEATH};
  const char *slash = strrchr(path, '/');
  if (slash) snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
  *name = slash ? slash + 1 : path;
  int fd = (int)syscall(SYS_openat2, root, parent, how, sizeof how);
  if (fd < 0) fail("cannot open the folder", parent);
  return fd;
}

static struct timespec time_of(int64_t ns) {
  int64_t seconds = ns / 1000000000, rest = ns % 1000000000;
  return rest < 0 ? (struct timespec){(time_t)seconds - 1, (long)rest + 1000000000} : (struct timespec){(time_t)seconds, (long)rest};
}

// Of a link by its name, of anything else by the descriptor, with an empty name: the name may lead elsewhere by now.
static void set_owner(int at, const char *name, const struct record *r) {
  uid_t uid = owners ? r->uid : 0;
  gid_t gid = owners ? r->gid : 0;
  bool may_give = !testing || geteuid() == 0;
  if (may_give && fchownat(at, name, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0) fail("cannot give away", r->path);
  if (r->kind != LINK_RECORD && fchmod(at, r->mode) != 0) fail("cannot set the mode of", r->path);
}

static void put_folder(int parent, const char *name, const struct record *r) {
  struct stat stat;
  if (fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(stat.st_mode)) {
    unlinkat(parent, name, 0);
    if (mkdirat(parent, name, 0700) != 0) fail("cannot make", r->path);
  }
  struct folder *folder = malloc(sizeof *folder + strlen(r->path) + 1);
  if (folder == NULL) fail("cannot remember", r->path);
  *folder = (struct folder){.next = folders, .mtime = time_of(r->mtime)};
  strcpy(folder->path, r->path);
  folders = folder;
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) fail("cannot open the folder", r->path);
  set_owner(fd, "", r);
  close(fd);
}

static void put_file(int parent, const char *name, const struct record *r) {
  int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) fail("cannot make", r->path);
  for (uint64_t left = r->size; left > 0;) {
    size_t length = left < sizeof buffer ? (size_t)left : sizeof buffer;
    if (!read_all(buffer, length)) give_up(F_INVALID, EIO, "the input ends within a file");
    write_all(fd, buffer, length, r->path);
    left -= length;
  }
  set_owner(fd, "", r);
  struct timespec times[2] = {{0, UTIME_OMIT}, time_of(r->mtime)};
  futimens(fd, times);
  if (close(fd) != 0) fail("cannot write", r->path);
}

static void put(int root, const struct record *r) {
  const char *name;
  int parent = open_parent(root, r->path, &name);
  struct timespec times[2] = {{0, UTIME_OMIT}, time_of(r->mtime)};
  if (r->kind == FOLDER_RECORD) put_folder(parent, name, r);
  else if (unlinkat(parent, name, 0) != 0 && errno != ENOENT) fail("cannot replace", r->path);
  if (r->kind == FILE_RECORD) put_file(parent, name, r);
  if (r->kind == HARD_LINK_RECORD) {
    const char *first;
    int source = open_parent(root, r->link, &first);
    if (linkat(source, first, parent, name, 0) != 0) fail("cannot link", r->path);
    close(source);
  }
  if (r->kind == LINK_RECORD) {
    if (symlinkat(r->link, parent, name) != 0) fail("cannot make", r->path);
    set_owner(parent, name, r);
    utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW);
  }
  close(parent);
}

_Noreturn void run_put(const char *path, bool keeps_owners) {
  static struct record record;
  owners = keeps_owners;
  int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) fail("cannot open the folder", path);
  umask(0);
  begin();
  while (read_record(&record)) put(root, &record);
  for (struct folder *folder = folders; folder; folder = folder->next) {
    const char *name;
    struct timespec times[2] = {{0, UTIME_OMIT}, folder->mtime};
    int parent = open_parent(root, folder->path, &name);
    utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW);
    close(parent);
  }
  _exit(0);
}

static void put64(uint8_t *at, uint64_t value) {
  put32(at, (uint32_t)value);
  put32(at + 4, (uint32_t)(value >> 32));
}

static void send_record(uint8_t kind, const struct stat *stat, const char *path, const char *link) {
  uint8_t head[RECORD] = {kind};
  size_t lengths[2] = {strlen(path), strlen(link)};
  put32(head + 1, stat->st_mode & 07777);
  put32(head + 5, stat->st_uid);
  put32(head + 9, stat->st_gid);
  put64(head + 13, (uint64_t)((int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec));
  put64(head + 21, kind == FILE_RECORD ? (uint64_t)stat->st_size : 0);
  for (int i = 0; i < 4; i++) head[29 + i] = (uint8_t)(lengths[i / 2] >> 8 * (i % 2));
  write_all(1, head, RECORD, path);
  write_all(1, path, lengths[0], path);
  write_all(1, link, lengths[1], path);
}

// Exactly as many bytes as the record said, also of a file that changes meanwhile.
static void send_content(int fd, uint64_t left, const char *path) {
  while (left > 0) {
    size_t length = left < sizeof buffer ? (size_t)left : sizeof buffer;
    ssize_t got = read(fd, buffer, length);
    if (got < 0) fail("cannot read", path);
    if (got == 0) memset(buffer, 0, length);
    write_all(1, buffer, got > 0 ? (size_t)got : length, path);
    left -= got > 0 ? (size_t)got : length;
  }
}

// Under which name a file with several was sent before; NULL when it was not, and is remembered now.
static const char *sent_before(const struct stat *stat, const char *path) {
  static struct sent { struct sent *next; dev_t device; ino_t number; char path[]; } *table[4096];
  struct sent **first = &table[stat->st_ino % 4096];
  if (stat->st_nlink < 2) return NULL;
  for (struct sent *each = *first; each; each = each->next) {
    if (each->device == stat->st_dev && each->number == stat->st_ino) return each->path;
  }
  struct sent *sent = malloc(sizeof *sent + strlen(path) + 1);
  if (sent == NULL) fail("cannot remember", path);
  *sent = (struct sent){.next = *first, .device = stat->st_dev, .number = stat->st_ino};
  strcpy(sent->path, path);
  *first = sent;
  return NULL;
}

static void send_tree(int parent, const char *name, char *path, bool only_looks, bool follows) {
  static char link[LONGEST + 1]; // not on the stack: folders may be two thousand deep
  struct stat stat;
  ssize_t linked = 0;
  if (fstatat(parent, name, &stat, follows ? 0 : AT_SYMLINK_NOFOLLOW) != 0) fail("cannot look at", path);
  int kind = S_ISREG(stat.st_mode) ? FILE_RECORD : S_ISDIR(stat.st_mode) ? FOLDER_RECORD : LINK_RECORD;
  if (kind == LINK_RECORD && !S_ISLNK(stat.st_mode)) return;
  if (kind == LINK_RECORD && (linked = readlinkat(parent, name, link, LONGEST)) <= 0) fail("cannot read the link", path);
  link[linked] = 0;
  int fd = -1;
  if (kind != LINK_RECORD && !only_looks) {
    fd = openat(parent, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (follows ? 0 : O_NOFOLLOW));
    if (fd < 0 || fstat(fd, &stat) != 0) fail("cannot open", path);
  }
  if (fd >= 0 && !(kind == FOLDER_RECORD ? S_ISDIR(stat.st_mode) : S_ISREG(stat.st_mode))) {
    errno = EAGAIN;
    fail("it changed:", path);
  }
  const char *first = kind == FILE_RECORD && fd >= 0 ? sent_before(&stat, path) : NULL;
  if (first) kind = HARD_LINK_RECORD;
  send_record((uint8_t)kind, &stat, path, first ? first : link);
  if (fd < 0) return;
  if (kind == FILE_RECORD) send_content(fd, (uint64_t)stat.st_size, path);
  if (kind != FOLDER_RECORD) {
    close(fd);
    return;
  }
  DIR *listing = fdopendir(fd);
  size_t length = strlen(path);
  for (struct dirent *entry; listing && (entry = readdir(listing));) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    errno = ENAMETOOLONG;
    if (length + 1 + strlen(entry->d_name) > LONGEST) fail("too deep:", path);
    snprintf(path + length, LONGEST + 1 - length, "/%s", entry->d_name);
    send_tree(fd, entry->d_name, path, false, false);
    path[length] = 0;
  }
  if (listing) closedir(listing);
}

_Noreturn void run_get(const char *wanted, bool only_looks, bool follows) {
  static char at[LONGEST + 1], path[LONGEST + 1];
  struct rlimit files = {4096, 4096};
  struct stat stat;
  setrlimit(RLIMIT_NOFILE, &files);
  size_t length = strlen(wanted);
  while (length > 1 && wanted[length - 1] == '/') length--;
  snprintf(at, sizeof at, "%.*s", (int)length, wanted);
  const char *name = strrchr(at, '/') + 1;
  if (*name == 0) name = "root";
  if (length > LONGEST || name[strspn(name, ".")] == 0) give_up(F_INVALID, EINVAL, "the path has no last name");
  snprintf(path, sizeof path, "%s", name);
  if (fstatat(AT_FDCWD, at, &stat, follows ? 0 : AT_SYMLINK_NOFOLLOW) != 0) fail("cannot look at", wanted);
  if (!S_ISREG(stat.st_mode) && !S_ISDIR(stat.st_mode) && !S_ISLNK(stat.st_mode)) {
    give_up(F_UNSUPPORTED, 0, "it is neither a file nor a folder nor a link");
  }
  begin();
  send_tree(AT_FDCWD, at, path, only_looks, follows);
  _exit(0);
}
