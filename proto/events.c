/* SPDX-License-Identifier: MIT
 * events.c - records of TensorBoard's event files. Not through fsio, which
 * syncs and renames: this file is read while it grows. */
#include "proto/events.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comm/base/fsio.h"
#include "comm/base/hash.h"
#include "comm/base/mem.h"
#include "proto/tensorboard.pb-c.h"

typedef Shardbert__Tensorboard__Event event;
typedef Shardbert__Tensorboard__Summary summary;
typedef Shardbert__Tensorboard__Summary__Value scalar;
typedef Shardbert__Tensorboard__SessionLog session;

enum { HEAD = 12, TAIL = 4 };

struct sb_events {
    int fd;
    char *path;
    int error; /* errno of the first failure */
    uint8_t *record;
    size_t record_cap;
    scalar *value;
    scalar **values; /* protobuf-c wants pointers */
    size_t value_cap, values_cap;
};

/* ---- records ------------------------------------------------------------- */

static uint32_t masked_crc(const uint8_t *data, size_t n)
{
    uint32_t c = sb_crc32c(0, data, n);
    return (c >> 15 | c << 17) + 0xa282ead8u;
}

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}

static void write_all(sb_events *e, size_t n)
{
    for (size_t at = 0; at < n && !e->error;) {
        ssize_t k = write(e->fd, e->record + at, n - at);
        if (k >= 0)
            at += (size_t)k;
        else if (errno != EINTR)
            e->error = errno;
    }
}

static void put(sb_events *e, event *what)
{
    size_t n = protobuf_c_message_get_packed_size(&what->base);
    if (sb_grow(&e->record, &e->record_cap, n + HEAD + TAIL, 1, "an event") !=
        SB_OK) {
        e->error = ENOMEM;
        return;
    }
    uint8_t *r = e->record;
    put_u32(r, (uint32_t)n);
    put_u32(r + 4, (uint32_t)((uint64_t)n >> 32));
    put_u32(r + 8, masked_crc(r, 8));
    protobuf_c_message_pack(&what->base, r + HEAD);
    put_u32(r + HEAD + n, masked_crc(r + HEAD, n));
    write_all(e, HEAD + n + TAIL);
}

static event event_at(uint64_t step)
{
    event v = SHARDBERT__TENSORBOARD__EVENT__INIT;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    v.wall_time = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    v.step = (int64_t)step;
    return v;
}

/* ---- the file ------------------------------------------------------------ */

/* TensorBoard voids steps by START from the second one on that it sees: the
 * first file of a folder needs one as well. */
static void put_start(sb_events *e, uint64_t step)
{
    event version = event_at(0), start = event_at(step);
    session log = SHARDBERT__TENSORBOARD__SESSION_LOG__INIT;
    version.what_case = SHARDBERT__TENSORBOARD__EVENT__WHAT_FILE_VERSION;
    version.file_version = (char *)"brain.Event:2";
    put(e, &version);
    log.status = SHARDBERT__TENSORBOARD__SESSION_LOG__STATUS__START;
    start.what_case = SHARDBERT__TENSORBOARD__EVENT__WHAT_SESSION_LOG;
    start.session_log = &log;
    put(e, &start);
}

static void free_events(sb_events *e)
{
    if (e->fd >= 0) close(e->fd);
    sb_free(e->path);
    free(e->record);
    free(e->value);
    free(e->values);
    sb_free(e);
}

/* Behind all that are there, even if they lie a second or a wrong clock
 * ahead: TensorBoard goes by the order of the names. */
static sb_status next_second(const char *dir, uint64_t *second_out)
{
    static const char start[] = "events.out.tfevents.";
    char **names;
    size_t n;
    SB_TRY(sb_dir_list(dir, &names, &n));
    uint64_t second = (uint64_t)time(NULL);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(names[i], start, sizeof start - 1) != 0) continue;
        uint64_t then = strtoull(names[i] + sizeof start - 1, NULL, 10);
        if (then >= second && then < 9999999999u) second = then + 1;
    }
    sb_names_free(names, n);
    *second_out = second;
    return SB_OK;
}

static sb_status create(sb_events *e, const char *dir)
{
    char host[64] = "host";
    uint64_t second;
    SB_TRY(next_second(dir, &second));
    gethostname(host, sizeof host - 1);
    e->path = sb_format("%s/events.out.tfevents.%010" PRIu64 ".%s.%ld", dir,
                        second, host, (long)getpid());
    SB_REQUIRE(e->path, SB_ENOMEM, "out of memory: a path");
    e->fd = open(e->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    SB_REQUIRE(e->fd >= 0, SB_EIO, "cannot make '%s': %s", e->path,
               strerror(errno));
    return SB_OK;
}

sb_status sb_events_open(const char *dir, uint64_t step, sb_events **events_out)
{
    sb_events *e;
    SB_TRY(sb_alloc(1, sizeof *e, "events", &e));
    e->fd = -1;
    sb_status st = create(e, dir);
    if (st != SB_OK) {
        free_events(e);
        return st;
    }
    put_start(e, step);
    *events_out = e;
    return SB_OK;
}

void sb_events_scalars(sb_events *e, uint64_t step, const char *const *tag,
                       const double *value, int n)
{
    size_t k = (size_t)n;
    if (e->error) return;
    if (sb_grow(&e->value, &e->value_cap, k, sizeof *e->value, "an event") !=
            SB_OK ||
        sb_grow(&e->values, &e->values_cap, k, sizeof(scalar *), "an event") !=
            SB_OK) {
        e->error = ENOMEM;
        return;
    }
    for (size_t i = 0; i < k; i++) {
        scalar s = SHARDBERT__TENSORBOARD__SUMMARY__VALUE__INIT;
        s.tag = (char *)tag[i]; /* only read */
        s.value_case =
            SHARDBERT__TENSORBOARD__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
        s.simple_value = (float)value[i];
        e->value[i] = s;
        e->values[i] = &e->value[i];
    }
    summary all = SHARDBERT__TENSORBOARD__SUMMARY__INIT;
    all.n_value = k;
    all.value = e->values;
    event v = event_at(step);
    v.what_case = SHARDBERT__TENSORBOARD__EVENT__WHAT_SUMMARY;
    v.summary = &all;
    put(e, &v);
}

sb_status sb_events_close(sb_events *e)
{
    if (!e) return SB_OK;
    if (close(e->fd) != 0 && !e->error) e->error = errno;
    e->fd = -1;
    sb_status st = SB_OK;
    if (e->error)
        st =
            sb_fail(e->error == ENOMEM ? SB_ENOMEM : SB_EIO, __FILE__, __LINE__,
                    "cannot write '%s': %s", e->path, strerror(e->error));
    free_events(e);
    return st;
}
