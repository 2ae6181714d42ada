// The guest's loopback, and the card of QEMU's user-mode network, whose addresses are always the same.
#include <arpa/inet.h>
#include <net/if.h>
#include <net/route.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "agent.h"

enum { CARD_WAIT_MS = 2000 };

static struct sockaddr address_of(const char *text) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {inet_addr(text)}};
  struct sockaddr any;
  memcpy(&any, &address, sizeof any);
  return any;
}

static bool set_address(int fd, struct ifreq *card, unsigned long what, const char *text) {
  card->ifr_addr = address_of(text);
  return ioctl(fd, what, card) == 0;
}

static bool bring_up(int fd, struct ifreq *card) {
  if (ioctl(fd, SIOCGIFFLAGS, card) != 0) return false;
  card->ifr_flags |= IFF_UP;
  return ioctl(fd, SIOCSIFFLAGS, card) == 0;
}

void start_loopback(void) {
  struct ifreq card = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || !bring_up(fd, &card)) fprintf(stderr, "box-agent: no loopback: %s\n", strerror(errno));
  close(fd);
}

// Its driver may find the card some time after it was loaded.
void start_card(void) {
  struct ifreq card = {.ifr_name = "eth0"};
  struct rtentry route = {.rt_dst = address_of("0.0.0.0"), .rt_genmask = address_of("0.0.0.0"),
      .rt_gateway = address_of("10.0.2.2"), .rt_flags = RTF_UP | RTF_GATEWAY};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (int64_t end = now_ms() + CARD_WAIT_MS; ioctl(fd, SIOCGIFFLAGS, &card) != 0 && now_ms() < end;) usleep(2000);
  bool is_up = set_address(fd, &card, SIOCSIFADDR, "10.0.2.15") && set_address(fd, &card, SIOCSIFNETMASK, "255.255.255.0") &&
      bring_up(fd, &card) && ioctl(fd, SIOCADDRT, &route) == 0;
  if (!is_up) warn("network", errno);
  close(fd);
}
