/* SPDX-License-Identifier: MIT
 * fsio.c - checked file system calls. */
#define _GNU_SOURCE /* sync_file_range */
#include "comm/base/fsio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/base/life.h"
#include "comm/base/mem.h"

/* ---- fault hook ---------------------------------------------------------- */

static int fault_rank = -1;

void sb_fault_rank(int rank)
{
    fault_rank = rank;
}

/* True when SB_FAULT says that this call of `what` is the one to fail. */
static int fault(const char *what, long *count)
{
    const char *f = getenv("SB_FAULT");
    size_t n = strlen(what);
    if (!f || strncmp(f, what, n) != 0 || f[n] != ':') return 0;
    char *end;
    long at = strtol(f + n + 1, &end, 10);
    if (strncmp(end, "@rank", 5) == 0 && atoi(end + 5) != fault_rank) return 0;
    return __atomic_add_fetch(count, 1, __ATOMIC_RELAXED) == at;
}

static long write_calls, sync_calls, rename_calls;

static int do_sync(int fd)
{
    sb_life_beat();
    if (fault("fsync", &sync_calls)) {
        errno = EIO;
        return -1;
    }
    return fsync(fd);
}

/* ---- names --------------------------------------------------------------- */

char *sb_format(const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = n < 0 ? NULL : malloc((size_t)n + 1);
    if (s) vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

char *sb_path_join(const char *a, const char *b)
{
    size_t n = strlen(a);
    return sb_format("%s%s%s", a, n && a[n - 1] == '/' ? "" : "/", b);
}

void sb_file_room(size_t n)
{
    enum { BESIDE = 256 };
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur >= n + BESIDE) return;
    l.rlim_cur = l.rlim_max < n + BESIDE ? l.rlim_max : n + BESIDE;
    (void)setrlimit(RLIMIT_NOFILE, &l);
}

int sb_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

sb_status sb_file_size(const char *path, uint64_t *bytes_out)
{
    struct stat s;
    if (stat(path, &s) != 0)
        SB_FAIL(errno == ENOENT ? SB_ENOENT : SB_EIO, "cannot look at '%s': %s",
                path, strerror(errno));
    *bytes_out = (uint64_t)s.st_size;
    return SB_OK;
}

/* ---- folders ------------------------------------------------------------- */

sb_status sb_dir_make(const char *path)
{
    char *p = sb_format("%s", path);
    SB_REQUIRE(p, SB_ENOMEM, "out of memory: a path");
    sb_status st = SB_OK;
    for (char *s = p + 1; st == SB_OK; s++) {
        if (*s != '/' && *s != 0) continue;
        char keep = *s;
        *s = 0;
        if (mkdir(p, 0755) != 0 && errno != EEXIST)
            st = sb_fail(SB_EIO, __FILE__, __LINE__,
                         "cannot make folder '%s': %s", p, strerror(errno));
        *s = keep;
        if (!keep) break;
    }
    struct stat s;
    if (st == SB_OK && (stat(p, &s) != 0 || !S_ISDIR(s.st_mode)))
        st =
            sb_fail(SB_EIO, __FILE__, __LINE__,
                    "cannot make folder '%s': a file of that name is there", p);
    sb_free(p);
    return st;
}

sb_status sb_dir_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    SB_REQUIRE(fd >= 0, SB_EIO, "cannot open folder '%s': %s", path,
               strerror(errno));
    int bad = do_sync(fd), why = errno;
    close(fd);
    SB_REQUIRE(!bad, SB_EIO, "cannot sync folder '%s': %s", path,
               strerror(why));
    return SB_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void sb_names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++) free(names[i]);
    free(names);
}

sb_status sb_dir_list(const char *path, char ***names_out, size_t *n_out)
{
    DIR *d = opendir(path);
    SB_REQUIRE(d, errno == ENOENT ? SB_ENOENT : SB_EIO,
               "cannot list folder '%s': %s", path, strerror(errno));
    char **names = NULL;
    size_t n = 0, cap = 0;
    sb_status st = SB_OK;
    while (st == SB_OK) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e && errno)
            st = sb_fail(SB_EIO, __FILE__, __LINE__,
                         "cannot list folder '%s': %s", path, strerror(errno));
        if (!e) break;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        SB_GOTO(st, sb_grow(&names, &cap, n + 1, sizeof *names, "file names"),
                out);
        if (!(names[n] = strdup(e->d_name)))
            st = sb_fail(SB_ENOMEM, __FILE__, __LINE__,
                         "out of memory: file names");
        else
            n++;
    }
out:
    closedir(d);
    if (st != SB_OK) {
        sb_names_free(names, n);
        return st;
    }
    if (n) qsort(names, n, sizeof *names, by_bytes);
    *names_out = names;
    *n_out = n;
    return SB_OK;
}

/* Names are looked up in folders that are open, and no link is followed: who
 * puts one in the place of a folder meanwhile gains nothing. */
static int remove_at(int folder, const char *name);

static int remove_inside(int folder)
{
    DIR *d = fdopendir(folder);
    int bad = 0;
    if (!d) {
        close(folder);
        return -1;
    }
    for (struct dirent *e; !bad && (e = readdir(d)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            bad = remove_at(dirfd(d), e->d_name);
    int why = errno;
    closedir(d);
    errno = why;
    return bad;
}

static int remove_at(int folder, const char *name)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT) return 0;
    if (errno != EISDIR) return -1;
    int fd =
        openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -1;
    if (remove_inside(fd) != 0) return -1;
    return unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0
                                                                        : -1;
}

sb_status sb_dir_remove(const char *path)
{
    SB_REQUIRE(remove_at(AT_FDCWD, path) == 0, SB_EIO, "cannot remove '%s': %s",
               path, strerror(errno));
    return SB_OK;
}

sb_status sb_rename(const char *from, const char *to)
{
    int bad = fault("rename", &rename_calls);
    if (bad)
        errno = EIO;
    else
        bad = rename(from, to);
    SB_REQUIRE(!bad, SB_EIO, "cannot rename '%s' to '%s': %s", from, to,
               strerror(errno));
    return SB_OK;
}

/* ---- reading ------------------------------------------------------------- */

sb_status sb_file_read(const char *path, size_t cap, char **data_out,
                       size_t *bytes_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    SB_REQUIRE(fd >= 0, errno == ENOENT ? SB_ENOENT : SB_EIO,
               "cannot open '%s': %s", path, strerror(errno));
    sb_status st = SB_OK;
    char *data = NULL;
    size_t n = 0, room = 0;
    for (;;) {
        SB_GOTO(st, sb_grow(&data, &room, n + 4096, 1, path), out);
        ssize_t got = read(fd, data + n, room - n - 1);
        sb_life_beat();
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            st = sb_fail(SB_EIO, __FILE__, __LINE__, "cannot read '%s': %s",
                         path, strerror(errno));
            goto out;
        }
        if (got == 0) break;
        n += (size_t)got;
        if (n > cap) {
            st = sb_fail(SB_ELIMIT, __FILE__, __LINE__,
                         "'%s' is larger than %s", path, sb_bytes_text(cap));
            goto out;
        }
    }
    data[n] = 0;
out:
    close(fd);
    if (st != SB_OK) {
        free(data);
        return st;
    }
    *data_out = data;
    *bytes_out = n;
    return SB_OK;
}

/* ---- writing ------------------------------------------------------------- */

enum { SEND = 4 << 20 };

struct sb_out {
    int fd;
    int error; /* errno of the first failure, 0: none */
    uint64_t bytes;
    uint64_t sent; /* of them, those the disk was told to write */
    size_t used;
    char *path;
    char buffer[1 << 16];
};

sb_status sb_out_open(const char *path, sb_out **out)
{
    sb_out *o = malloc(sizeof *o);
    char *name = sb_format("%s", path);
    if (!o || !name) {
        free(o);
        sb_free(name);
        SB_FAIL(SB_ENOMEM, "out of memory: an output file");
    }
    o->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (o->fd < 0) {
        int why = errno;
        free(o);
        sb_free(name);
        SB_FAIL(SB_EIO, "cannot create '%s': %s", path, strerror(why));
    }
    o->error = 0;
    o->bytes = o->sent = 0;
    o->used = 0;
    o->path = name;
    *out = o;
    return SB_OK;
}

enum { AT_END = -1 };

/* From byte `at` on, or AT_END. */
static void out_raw(sb_out *o, off_t at, const char *p, size_t n)
{
    while (n && !o->error) {
        if (fault("write", &write_calls)) {
            o->error = ENOSPC;
            return;
        }
        size_t piece = n < (1u << 30) ? n : (1u << 30);
        ssize_t put =
            at == AT_END ? write(o->fd, p, piece) : pwrite(o->fd, p, piece, at);
        sb_life_beat();
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            o->error = errno;
            return;
        }
        p += put;
        n -= (size_t)put;
        if (at != AT_END) at += put;
    }
}

static void flush(sb_out *o)
{
    out_raw(o, AT_END, o->buffer, o->used);
    o->used = 0;
}

void sb_out_put(sb_out *o, const void *data, size_t bytes)
{
    if (bytes < sizeof o->buffer - o->used) {
        memcpy(o->buffer + o->used, data, bytes);
        o->used += bytes;
        o->bytes += bytes;
        return;
    }
    flush(o);
    out_raw(o, AT_END, data, bytes);
    o->bytes += bytes;
    /* The disk begins now, not at the end. Only a hint. */
    if (o->error || o->bytes - o->sent < SEND) return;
    (void)sync_file_range(o->fd, (off_t)o->sent, (off_t)(o->bytes - o->sent),
                          SYNC_FILE_RANGE_WRITE);
    o->sent = o->bytes;
}

void sb_out_put_at(sb_out *o, uint64_t at, const void *data, size_t bytes)
{
    uint64_t first = o->bytes - o->used; /* in the buffer */
    if (at < first) flush(o);
    if (at < first)
        out_raw(o, (off_t)at, data, bytes);
    else
        memcpy(o->buffer + (at - first), data, bytes);
}

uint64_t sb_out_bytes(const sb_out *o)
{
    return o->bytes;
}

static void out_free(sb_out *o)
{
    sb_free(o->path);
    free(o);
}

sb_status sb_out_close(sb_out *o)
{
    flush(o);
    if (!o->error && do_sync(o->fd) != 0) o->error = errno;
    if (close(o->fd) != 0 && !o->error) o->error = errno;
    sb_status st = SB_OK;
    if (o->error) {
        st = sb_fail(SB_EIO, __FILE__, __LINE__, "cannot write '%s': %s",
                     o->path, strerror(o->error));
        if (o->error == ENOSPC)
            sb_hint("free some space there and run the same command again: it "
                    "goes on from the last complete state");
    }
    out_free(o);
    return st;
}

void sb_out_abandon(sb_out *o)
{
    if (!o) return;
    close(o->fd);
    unlink(o->path);
    out_free(o);
}

sb_status sb_file_write(const char *path, const void *data, size_t bytes)
{
    char *tmp = sb_format("%s.tmp", path);
    SB_REQUIRE(tmp, SB_ENOMEM, "out of memory: a path");
    sb_out *o;
    sb_status st;
    unlink(tmp); /* left by a process that was killed */
    SB_GOTO(st, sb_out_open(tmp, &o), out);
    sb_out_put(o, data, bytes);
    st = sb_out_close(o);
    if (st == SB_OK) st = sb_rename(tmp, path);
    if (st != SB_OK) unlink(tmp);
out:
    sb_free(tmp);
    return st;
}

/* ---- copying ------------------------------------------------------------- */

static sb_status copy_all(int fd, const char *from, char *part, sb_out *o)
{
    for (;;) {
        ssize_t got = read(fd, part, SEND);
        sb_life_beat();
        if (got < 0 && errno == EINTR) continue;
        SB_REQUIRE(got >= 0, SB_EIO, "cannot read '%s': %s", from,
                   strerror(errno));
        if (got == 0) return SB_OK;
        sb_out_put(o, part, (size_t)got);
    }
}

sb_status sb_file_copy(const char *from, const char *to)
{
    char *part = NULL;
    sb_out *o = NULL;
    int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    SB_REQUIRE(fd >= 0, errno == ENOENT ? SB_ENOENT : SB_EIO,
               "cannot open '%s': %s", from, strerror(errno));
    sb_status st = sb_alloc(SEND, 1, "a file's copy", &part);
    if (st == SB_OK) st = sb_out_open(to, &o);
    if (st == SB_OK) st = copy_all(fd, from, part, o);
    if (st == SB_OK)
        st = sb_out_close(o);
    else
        sb_out_abandon(o);
    sb_free(part);
    close(fd);
    return st;
}
