// In a child: becomes the user and the program that were asked for, or says why not.
#include <grp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "agent.h"

static const char usual_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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

static void become(const struct command *command, const gid_t *groups) {
  if (testing && geteuid() != 0) return;
  for (int i = 0; i < 3; i++) (void)!fchown(i, command->uid, (gid_t)-1); // so that it may open /dev/stdout
  if (setgroups(command->groups, groups) != 0 || setgid(command->gid) != 0 || setuid(command->uid) != 0) {
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

// Its other end is no path: the box may have no /dev/pts.
static void open_terminal(int terminal) {
  int fd = ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) != 0) give_up(F_ERRNO, errno, "cannot open the terminal");
  for (int i = 0; i < 3; i++) dup2(fd, i);
  close(fd);
}

static const char *next_text(const char **at) {
  const char *text = *at;
  *at += strlen(text) + 1;
  return text;
}

_Noreturn void run_exec(const uint8_t *payload, int terminal) {
  static gid_t groups[UINT16_MAX];
  static const char *texts[2 * UINT16_MAX + 2];
  struct command command;
  memcpy(&command, payload, sizeof command);
  memcpy(groups, payload + sizeof command, command.groups * sizeof *groups);
  const char *at = (const char *)payload + sizeof command + command.groups * sizeof *groups, *folder = next_text(&at);
  const char **args = texts, **envs = args + command.args + 1;
  for (int i = 0; i < command.args; i++) args[i] = next_text(&at);
  for (int i = 0; i < command.envs; i++) envs[i] = next_text(&at);
  int error = enter_target(command.target);
  if (error) give_up(F_ERRNO, error, "cannot enter the file system");
  if (terminal >= 0) open_terminal(terminal);
  if (*folder && (*folder != '/' || chdir(folder) != 0)) {
    bool is_missing = *folder != '/' || errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG;
    give_up(is_missing ? F_NO_CWD : F_ERRNO, errno, "no such folder: %.300s", folder);
  }
  umask(022);
  become(&command, groups);
  search((char *const *)args, (char *const *)envs);
}
