/* The programs of the box that the contract's machines run: what it does is its first argument. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static volatile sig_atomic_t told;

static void note(int number) { told = number; }

static void handle(int number) {
  struct sigaction action = {.sa_handler = note};
  sigaction(number, &action, NULL);
}

/* Blocks a signal until it is waited for, so that none is lost in between. */
static void await_signal(int number) {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, number);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  while (told != number) sigsuspend(&before);
}

static int write_all(int file, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t done = write(file, bytes, length);
    if (done < 0) return 1;
    bytes += done;
    length -= (size_t)done;
  }
  return 0;
}

static void show_size(void) {
  struct winsize size = {0};
  ioctl(1, TIOCGWINSZ, &size);
  printf("%d %d\n", size.ws_row, size.ws_col);
  fflush(stdout);
}

/* What two guests must not have in common: randomness of the kernel, names, and where the clock stands. */
static int identity(void) {
  unsigned char random[16];
  char name[65] = "";
  struct timespec now;
  int file = open("/proc/sys/kernel/random/uuid", O_RDONLY);
  char uuid[37] = "";
  if (file < 0 || read(file, uuid, 36) != 36) return 1;
  file = open("/dev/urandom", O_RDONLY);
  if (file < 0 || read(file, random, sizeof random) != sizeof random || gethostname(name, sizeof name) != 0) return 1;
  clock_gettime(CLOCK_REALTIME, &now);
  printf("{\"name\":\"%s\",\"uuid\":\"%s\",\"nowMs\":%lld,\"random\":\"", name, uuid,
      (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
  for (size_t i = 0; i < sizeof random; i++) printf("%02x", random[i]);
  return puts("\"}") < 0;
}

static int echo_server(void) {
  static char block[4096];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int server = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 16) != 0) return 1;
  puts("listening");
  fflush(stdout);
  for (;;) {
    int client = accept(server, NULL, NULL);
    for (ssize_t length; (length = read(client, block, sizeof block)) > 0;) write_all(client, block, (size_t)length);
    close(client);
  }
}

/* The names of its networks, each that is down with " down" behind it. */
static int show_networks(void) {
  struct if_nameindex *all = if_nameindex();
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  for (struct if_nameindex *each = all; each != NULL && each->if_index != 0; each++) {
    struct ifreq request = {0};
    strncpy(request.ifr_name, each->if_name, IF_NAMESIZE - 1);
    ioctl(fd, SIOCGIFFLAGS, &request);
    printf("%s%s\n", each->if_name, request.ifr_flags & IFF_UP ? "" : " down");
  }
  return all == NULL;
}

/* Connects to an address and a port, sends a word and shows the answer to its end; fails with the number of the error. */
static int dial(const char *host, const char *port, const char *word) {
  static char block[4096];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr = {inet_addr(host)}};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) return errno;
  write_all(fd, word, strlen(word));
  shutdown(fd, SHUT_WR);
  for (ssize_t length; (length = read(fd, block, sizeof block)) > 0;) write_all(1, block, (size_t)length);
  return 0;
}

/* Leaves a process behind whose parent has ended, ends it, and waits until nothing of it is left. */
static int leave_orphan(void) {
  int ends[2];
  pid_t orphan = 0;
  if (pipe(ends) != 0) return 1;
  pid_t parent = fork();
  if (parent == 0) {
    orphan = fork();
    if (orphan == 0) for (;;) pause();
    _exit(write(ends[1], &orphan, sizeof orphan) != sizeof orphan);
  }
  if (read(ends[0], &orphan, sizeof orphan) != sizeof orphan || waitpid(parent, NULL, 0) != parent) return 1;
  kill(orphan, SIGKILL);
  for (int i = 0; i < 1000; i++) {
    if (kill(orphan, 0) != 0 && errno == ESRCH) return puts("reaped") < 0;
    usleep(10000);
  }
  return 2;
}

/* Writes to a file until there is no space; fails with the number of the error. */
static int fill(const char *path) {
  static char block[1 << 16];
  int file = open(path, O_WRONLY | O_CREAT, 0644);
  if (file < 0) return errno;
  memset(block, 'x', sizeof block);
  while (write(file, block, sizeof block) > 0) continue;
  return errno;
}

int main(int count, char **words) {
  static char block[16384];
  const char *what = count > 1 ? words[1] : "";
  const char *more = count > 2 ? words[2] : "";
  if (strcmp(what, "exit") == 0) return atoi(more);
  if (strcmp(what, "print") == 0) return write_all(1, "out", 3) + write_all(2, "err", 3);
  if (strcmp(what, "copy") == 0) {
    for (;;) {
      ssize_t length = read(0, block, sizeof block);
      if (length <= 0) return length < 0;
      if (write_all(1, block, (size_t)length) != 0) return 1;
    }
  }
  if (strcmp(what, "flood") == 0) {
    memset(block, 'x', sizeof block);
    for (long left = atol(more); left > 0; left -= (long)sizeof block) {
      size_t length = left < (long)sizeof block ? (size_t)left : sizeof block;
      /* A reader that is gone is no failure: what it does not want is thrown away. */
      if (write_all(1, block, length) != 0) return 1;
    }
    return 0;
  }
  if (strcmp(what, "sleep") == 0) {
    for (;;) pause();
  }
  if (strcmp(what, "wait") == 0) {
    puts("waiting");
    fflush(stdout);
    for (;;) pause();
  }
  if (strcmp(what, "env") == 0) {
    for (char **entry = environ; *entry != NULL; entry++) puts(*entry);
    return 0;
  }
  if (strcmp(what, "pwd") == 0) return puts(getcwd(block, sizeof block)) < 0;
  if (strcmp(what, "trap") == 0) {
    handle(SIGINT);
    puts("ready");
    fflush(stdout);
    await_signal(SIGINT);
    puts("interrupted");
    return 7;
  }
  if (strcmp(what, "size") == 0) {
    handle(SIGWINCH);
    show_size();
    await_signal(SIGWINCH);
    show_size();
    return 0;
  }
  if (strcmp(what, "identity") == 0) return identity();
  if (strcmp(what, "orphan") == 0) return leave_orphan();
  if (strcmp(what, "fill") == 0) return fill(more);
  if (strcmp(what, "echo") == 0) return echo_server();
  if (strcmp(what, "networks") == 0) return show_networks();
  if (strcmp(what, "dial") == 0) return count < 5 ? 64 : dial(more, words[3], words[4]);
  if (strcmp(what, "link") == 0) {
    ssize_t length = readlink(more, block, sizeof block);
    return length < 0 || write_all(1, block, (size_t)length);
  }
  if (strcmp(what, "save") == 0) {
    /* Writes its last argument to a file and to the disk. */
    FILE *file = fopen(more, "w");
    if (file == NULL || count < 4) return 1;
    fputs(words[3], file);
    fflush(file);
    return fsync(fileno(file)) != 0;
  }
  if (strcmp(what, "show") == 0) {
    FILE *file = fopen(more, "r");
    if (file == NULL) return 1;
    size_t length = fread(block, 1, sizeof block, file);
    return write_all(1, block, length);
  }
  return 64;
}
