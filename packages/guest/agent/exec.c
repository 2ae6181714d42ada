// In a child: becomes the user and the program that were asked for, or says why not.
#include <grp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "agent.h"

enum { MOST_GROUPS = 65536, LONGEST_FILE = 1 << 20 };
static const char usual_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static struct {
  uid_t uid;
  gid_t gid, groups[MOST_GROUPS];
  int group_count;
  char name[256], home[1024];
} user = {.home = "/"};

int report_fd;

_Noreturn void give_up(uint16_t failure, int error, const char *format, ...) {
  struct report report = {.failure = failure, .error = error};
  va_list values;
  va_start(values, format);
  vsnprintf(report.text, sizeof report.text, format, values);
  va_end(values);
  (void)!write(report_fd, &report, sizeof report);
  _exit(1);
}

void begin(void) {
  struct report report = {0};
  (void)!write(report_fd, &report, sizeof report);
}

// The file's text, empty when there is none; what is no regular file may not hold the child up.
static char *read_file(const char *path) {
  static char none[1];
  char *text = calloc(1, LONGEST_FILE + 1);
  struct stat stat;
  if (text == NULL) return none;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) return text;
  size_t length = 0;
  for (ssize_t got; length < LONGEST_FILE && (got = read(fd, text + length, LONGEST_FILE - length)) > 0;) length += (size_t)got;
  close(fd);
  return text;
}

static bool number_of(const char *text, uint32_t *number) {
  char *end;
  if (*text < '0' || *text > '9') return false;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  *number = (uint32_t)value;
  return *end == 0 && errno == 0 && value < UINT32_MAX;
}

// The next line of /etc/passwd or /etc/group that has so many fields, of which the third is a number; false at the end.
static bool next_entry(char **rest, char **fields, int least, uint32_t *number) {
  for (char *line; (line = strsep(rest, "\n"));) {
    int count = 0;
    while (line && count < 7) fields[count++] = strsep(&line, ":");
    if (count >= least && number_of(fields[2], number)) return true;
  }
  return false;
}

static bool lists(char *members, const char *name) {
  for (char *member; (member = strsep(&members, ","));) {
    if (strcmp(member, name) == 0) return true;
  }
  return false;
}

static void add_group(gid_t gid) {
  if (user.group_count < MOST_GROUPS) user.groups[user.group_count++] = gid;
}

// Looks a user up as docker does: the first entry of that name or number; a number needs none.
static bool find_user(const char *wanted) {
  char *rest = read_file("/etc/passwd"), *fields[7];
  uint32_t number = 0, uid, gid;
  bool is_number = *wanted == 0 || number_of(wanted, &number);
  user.uid = number;
  while (next_entry(&rest, fields, 6, &uid)) {
    if (!number_of(fields[3], &gid) || (strcmp(fields[0], wanted) != 0 && !(is_number && uid == number))) continue;
    user.uid = uid;
    user.gid = gid;
    snprintf(user.name, sizeof user.name, "%s", fields[0]);
    if (fields[5][0] == '/') snprintf(user.home, sizeof user.home, "%s", fields[5]);
    return true;
  }
  return is_number;
}

static gid_t find_group(const char *wanted) {
  char *rest = read_file("/etc/group"), *fields[7];
  uint32_t number, gid;
  bool is_number = number_of(wanted, &number);
  while (next_entry(&rest, fields, 3, &gid)) {
    if (strcmp(fields[0], wanted) == 0 || (is_number && gid == number)) return gid;
  }
  if (!is_number) give_up(F_NO_USER, 0, "no such group: %.300s", wanted);
  return number;
}

static void add_groups_of_user(void) {
  char *rest = read_file("/etc/group"), *fields[7];
  uint32_t gid;
  while (next_entry(&rest, fields, 4, &gid)) {
    if (lists(fields[3], user.name)) add_group(gid);
  }
}

static void resolve(const char *wanted, const char *const *groups, int count) {
  char name[256];
  const char *colon = strchr(wanted, ':');
  size_t length = colon ? (size_t)(colon - wanted) : strlen(wanted);
  snprintf(name, sizeof name, "%.*s", (int)(length < 256 ? length : 255), wanted);
  if (length > 255 || !find_user(name)) give_up(F_NO_USER, 0, "no such user: %.300s", wanted);
  if (colon && colon[1]) user.gid = find_group(colon + 1);
  else if (user.name[0]) add_groups_of_user();
  for (int i = 0; i < count; i++) add_group(find_group(groups[i]));
}

static void become(void) {
  if (testing && geteuid() != 0) return;
  for (int i = 0; i < 3; i++) (void)!fchown(i, user.uid, (gid_t)-1); // so that it may open /dev/stdout
  if (setgroups((size_t)user.group_count, user.groups) != 0 || setgid(user.gid) != 0 || setuid(user.uid) != 0) {
    give_up(F_ERRNO, errno, "cannot become the user");
  }
}

// Tries one path; returns only when the search goes on, with why it did.
static int try_program(const char *path, char *const *args, char *const *envs) {
  struct stat stat;
  execve(path, args, envs);
  int error = errno;
  bool is_there = lstat(path, &stat) == 0;
  if (error == ENOTDIR || (error == ENOENT && !is_there)) return ENOENT;
  if (error == EACCES && !strchr(args[0], '/')) return error;
  if (error == ENOENT) give_up(F_NOT_FOUND, error, "the interpreter of %.300s is not there", path);
  bool is_refused = error == EACCES || error == ENOEXEC || error == EPERM || error == EISDIR || error == ELIBBAD;
  give_up(is_refused ? F_NOT_EXECUTABLE : F_ERRNO, error, "cannot execute %.300s: %s", path, strerror(error));
}

static _Noreturn void search(char *const *args, char *const *envs) {
  char path[4096];
  const char *folders = usual_path;
  int reason = ENOENT;
  for (int i = 0; envs[i]; i++) {
    if (strncmp(envs[i], "PATH=", 5) == 0) folders = envs[i] + 5;
  }
  if (strchr(args[0], '/')) {
    reason = try_program(args[0], args, envs);
    folders = NULL;
  }
  while (folders && *args[0]) {
    size_t length = strcspn(folders, ":");
    int written = snprintf(path, sizeof path, "%.*s/%s", (int)length, length > 0 ? folders : ".", args[0]);
    if (length == 0) written = snprintf(path, sizeof path, "./%s", args[0]);
    int found = written < (int)sizeof path ? try_program(path, args, envs) : ENOENT;
    if (found != ENOENT) reason = found;
    folders = folders[length] ? folders + length + 1 : NULL;
  }
  if (reason == ENOENT) give_up(F_NOT_FOUND, reason, "no such program: %.300s", args[0]);
  give_up(F_NOT_EXECUTABLE, reason, "the program may not be run: %.300s", args[0]);
}

static void open_terminal(void) {
  char path[32];
  unsigned number = 0;
  ioctl(0, TIOCGPTN, &number);
  snprintf(path, sizeof path, "/dev/pts/%u", number);
  int fd = open(path, O_RDWR | O_NOCTTY);
  if (fd < 0) fd = ioctl(0, _IO('T', 0x41), O_RDWR | O_NOCTTY); // TIOCGPTPEER: the box has no /dev/pts
  if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) != 0) give_up(F_ERRNO, errno, "cannot open the terminal");
  for (int i = 0; i < 3; i++) dup2(fd, i);
  if (fd > 2) close(fd);
}

static const char *next_text(const char **at) {
  const char *text = *at;
  *at += strlen(text) + 1;
  return text;
}

_Noreturn void run_exec(const struct request *request, bool is_terminal) {
  const char *at = request->text, *wanted = next_text(&at), *folder = next_text(&at);
  const char **texts = calloc((size_t)request->groups + request->args + request->envs + 4u, sizeof *texts);
  char home[1100];
  if (texts == NULL) give_up(F_ERRNO, ENOMEM, "no memory");
  const char **args = texts + request->groups, **envs = args + request->args + 1;
  bool has_home = false;
  for (int i = 0; i < request->groups; i++) texts[i] = next_text(&at);
  for (int i = 0; i < request->args; i++) args[i] = next_text(&at);
  for (int i = 0; i < request->envs; i++) {
    envs[i] = next_text(&at);
    has_home |= strncmp(envs[i], "HOME=", 5) == 0;
  }
  int error = enter_target(request->target);
  if (error) give_up(F_ERRNO, error, "cannot enter the file system");
  if (is_terminal) open_terminal();
  resolve(wanted, texts, request->groups);
  if (*folder && (*folder != '/' || chdir(folder) != 0)) {
    bool is_missing = *folder != '/' || errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG;
    give_up(is_missing ? F_NO_CWD : F_ERRNO, errno, "no such folder: %.300s", folder);
  }
  if ((request->flags & 2) && !has_home) {
    snprintf(home, sizeof home, "HOME=%s", user.home);
    envs[request->envs] = home;
  }
  umask(022);
  become();
  search((char *const *)args, (char *const *)envs);
}
