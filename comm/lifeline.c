/* SPDX-License-Identifier: MIT
 * lifeline.c - datagrams between rank 0 and the others. */
#include "comm/lifeline.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "comm/agree.h"
#include "comm/base/mem.h"

enum { PATHS = 16, UNANSWERED = 3, BUFFER = 1 << 20 };
#define NO_PATH UINT32_MAX

typedef struct sockaddr_in address;

/* Where a rank was last heard from; port 0: not yet. */
typedef struct peer {
    address at;
    uint32_t path;
} peer;

/* What rank 0 hands out. path[0] is its host's own loopback. */
typedef struct offer {
    uint64_t token;
    uint32_t paths;
    in_port_t port; /* in network order, 0: no network */
    struct in_addr path[PATHS];
} offer;

struct sb_lifeline {
    int fd, wake[2]; /* a socket or -1; a pipe, both ends never block */
    uint32_t rank, size;
    offer offer;
    uint32_t near;       /* not rank 0: path[0] leads there, too */
    uint32_t path;       /* not rank 0: the one that was answered */
    uint32_t unanswered; /* messages in a row */
    peer *peer;          /* rank 0: [size] */
};

/* ---- open ---------------------------------------------------------------- */

static int never_block(int fd)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

/* -1: there is no network */
static int open_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), room = BUFFER;
    if (fd < 0) return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (never_block(fd)) return fd;
    close(fd);
    return -1;
}

static void add_path(offer *o, struct in_addr a)
{
    if (o->paths < PATHS) o->path[o->paths++] = a;
}

/* All addresses of this host that others may know. */
static void add_paths(offer *o)
{
    struct ifaddrs *all, *i;
    add_path(o, (struct in_addr){htonl(INADDR_LOOPBACK)});
    if (getifaddrs(&all) != 0) return;
    for (i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET) continue;
        if (!(i->ifa_flags & IFF_UP) || i->ifa_flags & IFF_LOOPBACK) continue;
        address a;
        memcpy(&a, i->ifa_addr, sizeof a);
        add_path(o, a.sin_addr);
    }
    freeifaddrs(all);
}

/* Rank 0: a port of the system's choice, on all addresses. */
static void make_offer(sb_lifeline *l)
{
    offer *o = &l->offer;
    address a = {.sin_family = AF_INET}; /* INADDR_ANY, port 0 */
    socklen_t n = sizeof a;
    if (l->fd < 0) return;
    if (getrandom(&o->token, sizeof o->token, 0) != sizeof o->token ||
        bind(l->fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        getsockname(l->fd, (struct sockaddr *)&a, &n) != 0)
        return;
    o->port = a.sin_port;
    add_paths(o);
}

static sb_status open_local(sb_comm *c, sb_lifeline **line_out)
{
    sb_lifeline *l;
    SB_TRY(sb_alloc(1, sizeof *l, "lifeline", &l));
    *line_out = l;
    l->wake[0] = l->wake[1] = -1;
    l->rank = (uint32_t)sb_comm_rank(c);
    l->size = (uint32_t)sb_comm_size(c);
    l->path = NO_PATH;
    l->fd = l->size > 1 ? open_socket() : -1;
    SB_REQUIRE(pipe(l->wake) == 0 && never_block(l->wake[0]) &&
                   never_block(l->wake[1]),
               SB_ELIMIT, "cannot make a pipe: %s", strerror(errno));
    if (l->rank != 0) return SB_OK;
    make_offer(l);
    return sb_alloc(l->size, sizeof *l->peer, "lifeline", &l->peer);
}

sb_status sb_lifeline_open(sb_comm *c, int near, sb_lifeline **line_out)
{
    sb_lifeline *l = NULL;
    sb_status st = sb_agree(c, open_local(c, &l));
    if (st != SB_OK) {
        sb_lifeline_close(l);
        return st;
    }
    sb_comm_bcast(c, &l->offer, sizeof l->offer, 0);
    l->near = near != 0;
    *line_out = l;
    return SB_OK;
}

void sb_lifeline_close(sb_lifeline *l)
{
    if (!l) return;
    if (l->fd >= 0) close(l->fd);
    for (int i = 0; i < 2; i++)
        if (l->wake[i] >= 0) close(l->wake[i]);
    sb_free(l->peer);
    sb_free(l);
}

unsigned sb_lifeline_port(const sb_lifeline *l)
{
    return ntohs(l->offer.port);
}

/* ---- messages ------------------------------------------------------------ */

static int is_ours(const sb_lifeline *l, const sb_pulse *p, size_t bytes)
{
    return bytes == sizeof *p && l->offer.port && p->token == l->offer.token &&
           p->size == l->size && p->rank < l->size &&
           (p->rank == 0) != (l->rank == 0) && p->kind >= SB_PULSE_LIFE &&
           p->kind <= SB_PULSE_END && p->path < l->offer.paths;
}

/* The next one that is ours. */
static int next(sb_lifeline *l, sb_pulse *p)
{
    peer from;
    ssize_t got;
    do {
        socklen_t n = sizeof from.at;
        got = recvfrom(l->fd, p, sizeof *p, MSG_TRUNC,
                       (struct sockaddr *)&from.at, &n);
        if (got < 0) return 0;
    } while (!is_ours(l, p, (size_t)got));
    p->life.where[sizeof p->life.where - 1] = 0;
    from.path = p->path;
    if (l->rank == 0) l->peer[p->rank] = from;
    l->path = p->path;
    l->unanswered = 0;
    return 1;
}

int sb_lifeline_receive(sb_lifeline *l, double seconds, sb_pulse *p)
{
    struct pollfd at[2] = {{l->wake[0], POLLIN, 0}, {l->fd, POLLIN, 0}};
    nfds_t n = l->fd >= 0 ? 2 : 1;
    int ms = seconds > 0 ? (int)(1000 * seconds) + 1 : 0;
    if (n == 2 && next(l, p)) return 1;
    return poll(at, n, ms) > 0 && !at[0].revents && next(l, p);
}

static void send_to(const sb_lifeline *l, sb_pulse *p, uint32_t path,
                    const address *to)
{
    p->path = path;
    (void)sendto(l->fd, p, sizeof *p, 0, (const struct sockaddr *)to,
                 sizeof *to); /* the next one may arrive */
}

/* By the path that was answered, or by all. */
static void send_to_first(sb_lifeline *l, sb_pulse *p)
{
    const offer *o = &l->offer;
    if (l->unanswered++ > UNANSWERED) l->path = NO_PATH;
    for (uint32_t i = l->near ? 0 : 1; i < o->paths; i++) {
        if (l->path != NO_PATH && l->path != i) continue;
        const address to = {
            .sin_family = AF_INET, .sin_port = o->port, .sin_addr = o->path[i]};
        send_to(l, p, i, &to);
    }
}

void sb_lifeline_send(sb_lifeline *l, int rank, sb_pulse_kind kind,
                      const sb_life *life)
{
    sb_pulse p = {.token = l->offer.token,
                  .kind = kind,
                  .rank = l->rank,
                  .size = l->size,
                  .life = *life};
    if (l->fd < 0 || !l->offer.port) return;
    if (l->rank != 0)
        send_to_first(l, &p);
    else if (l->peer[rank].at.sin_port)
        send_to(l, &p, l->peer[rank].path, &l->peer[rank].at);
}

void sb_lifeline_wake(sb_lifeline *l)
{
    ssize_t put = write(l->wake[1], "", 1);
    (void)put; /* full: it wakes all the same */
}
