// In a child: becomes the user and the program that were asked for, or says why not.
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "agent.h"

int report_fd;

void report(uint16_t step, int error, uint16_t place) {
  struct failure failure = {step, place, error};
  (void)!write(report_fd, &failure, sizeof failure);
}

_Noreturn void give_up(uint16_t step, int error, uint16_t place) {
  report(step, error, place);
  _exit(1);
}

static void become(const struct command *command, const gid_t *groups) {
  if (testing && geteuid() != 0) return;
  for (int i = 0; i < 3; i++) (void)!fchown(i, command->uid, (gid_t)-1); // so that it may open /dev/stdout
  if (setgroups(command->groups, groups) != 0 || setgid(command->gid) != 0 || setuid(command->uid) != 0) {
    give_up(F_USER, errno, 0);
  }
}

// The first of its places where the program is. What is there but may not be run is told only when there is no other.
static _Noreturn void become_program(const char **places, const char **args, const char **envs) {
  struct stat stat;
  int reason = ENOENT, place = 0;
  for (int i = 0; places[i]; i++) {
    execve(places[i], (char *const *)args, (char *const *)envs);
    int error = errno;
    if (error == ENOTDIR || (error == ENOENT && lstat(places[i], &stat) != 0)) continue;
    if (error != EACCES) give_up(error == ENOENT ? F_INTERPRETER : F_PROGRAM, error, (uint16_t)i);
    reason = error;
    place = i;
  }
  give_up(F_PROGRAM, reason, (uint16_t)place);
}

// Its other end is no path: the box may have no /dev/pts.
static void open_terminal(int terminal) {
  int fd = ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) != 0) give_up(F_TERMINAL, errno, 0);
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
  static const char *texts[3 * UINT16_MAX + 3]; // three lists with their ends
  struct command command;
  memcpy(&command, payload, sizeof command);
  memcpy(groups, payload + sizeof command, command.groups * sizeof *groups);
  const char *at = (const char *)payload + sizeof command + command.groups * sizeof *groups, *folder = next_text(&at);
  const char **places = texts, **args = places + command.places + 1, **envs = args + command.args + 1;
  for (int i = 0; i < command.places; i++) places[i] = next_text(&at);
  for (int i = 0; i < command.args; i++) args[i] = next_text(&at);
  for (int i = 0; i < command.envs; i++) envs[i] = next_text(&at);
  enter_target(command.target);
  if (terminal >= 0) open_terminal(terminal);
  if (*folder && chdir(folder) != 0) give_up(F_FOLDER, errno, 0);
  umask(022);
  become(&command, groups);
  become_program(places, args, envs);
}
