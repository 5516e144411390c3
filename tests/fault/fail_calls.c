/* SPDX-License-Identifier: MIT
 * fail_calls.c - a library for LD_PRELOAD that lets the N-th call of a program
 * fail, so that no fault code is in the program, and calls of the libraries it
 * uses (LMDB above all) fail too.
 *
 *   SB_FAIL=write:N:ERRNO   the N-th call that changes a file below the folder
 *                           SB_FAIL_UNDER fails with ENOSPC or EIO; "N+": so do
 *                           all later ones that need space, as on a full disk.
 *                           "N:KILL": the process gets SIGKILL instead
 *   SB_FAIL=alloc:N         the N-th allocation fails
 *   SB_FAIL=site:N          the first allocation of the N-th place that asks
 *                           for memory fails; a place is a stack of DEPTH calls
 *   SB_FAIL_RANK=R          only in rank R of an Open MPI job
 *   SB_FAIL_REPORT=FILE     a line is added to FILE when the call fails; at the
 *                           end of a process in which it did not, its count
 *   SB_FAIL_FIRST=WORD      only if the program's first argument is WORD
 *
 * A program may ask for it itself, by dlsym: fail_calls_arm(N) lets the N-th
 * allocation from now on fail, fail_calls_disarm() none more, and returns how
 * many there were.
 *
 * Allocations are those that the program itself asks for, and those of the
 * libraries that read and write its files; not those of libc, MPI or BLAS, nor
 * of json-c, which without memory crashes or loses keys (0.16).
 * Closing a file does not fail: all that matter are synced before. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The real function behind the one that is being defined. */
#define REAL(name)                                                             \
    static __typeof__(&name) real;                                             \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

enum { DEPTH = 6, SITES_MAX = 1 << 16, OBJECTS_MAX = 16, TEXT_MAX = 4096 };

typedef enum what { NOTHING, WRITE, ALLOC, SITE } what;

static struct {
    what what;
    long at;
    int forever, error, kill;
    char under[TEXT_MAX], report[TEXT_MAX];
    size_t under_n;
    long calls; /* atomic */
} fault;

/* ---- start --------------------------------------------------------------- */

typedef enum owner { OTHERS, PROGRAM, HELPER } owner;

/* Code of the program, and of the libraries whose allocations count. */
static struct {
    uintptr_t from, to;
    owner owner;
} object[OBJECTS_MAX];
static int objects;

static owner owner_of_file(const char *path)
{
    static const char *const helpers[] = {
        "liblmdb.", "libprotobuf-c.", "libexpat.", "libz.",       "libisal.",
        "libbz2.",  "liblzma.",       "libzstd.",  "libutf8proc."};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!*path) return PROGRAM;
    for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++)
        if (strncmp(name, helpers[i], strlen(helpers[i])) == 0) return HELPER;
    return OTHERS;
}

static int add_object(struct dl_phdr_info *o, size_t bytes, void *arg)
{
    (void)bytes;
    (void)arg;
    owner whose = owner_of_file(o->dlpi_name);
    for (int i = 0; i < o->dlpi_phnum && objects < OBJECTS_MAX; i++) {
        const ElfW(Phdr) *p = &o->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || !whose) continue;
        object[objects].from = o->dlpi_addr + p->p_vaddr;
        object[objects].to = object[objects].from + p->p_memsz;
        object[objects++].owner = whose;
    }
    return 0;
}

static owner owner_of(const void *code)
{
    uintptr_t at = (uintptr_t)code;
    for (int i = 0; i < objects; i++)
        if (at >= object[i].from && at < object[i].to) return object[i].owner;
    return OTHERS;
}

/* Is this the process that is to fail? */
static int is_chosen(char **argv)
{
    const char *first = getenv("SB_FAIL_FIRST");
    const char *want = getenv("SB_FAIL_RANK");
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (first && (!argv[0] || !argv[1] || strcmp(argv[1], first) != 0))
        return 0;
    return !want || strcmp(want, rank ? rank : "0") == 0;
}

__attribute__((constructor)) static void start(int argc, char **argv)
{
    static const char *const kinds[] = {
        [WRITE] = "write:", [ALLOC] = "alloc:", [SITE] = "site:"};
    void *warm[2];
    dl_iterate_phdr(add_object, NULL);
    backtrace(warm, 2); /* loads a library at its first call */
    const char *f = getenv("SB_FAIL");
    const char *under = getenv("SB_FAIL_UNDER");
    const char *report = getenv("SB_FAIL_REPORT");
    what chosen = NOTHING;
    char *end;
    (void)argc;
    if (!f || !is_chosen(argv)) return;
    for (what k = WRITE; k <= SITE; k++)
        if (strncmp(f, kinds[k], strlen(kinds[k])) == 0) chosen = k;
    if (chosen == NOTHING) abort();
    fault.at = strtol(strchr(f, ':') + 1, &end, 10);
    if (*end == '+') fault.forever = 1;
    fault.error = strstr(end, "EIO") ? EIO : ENOSPC;
    fault.kill = strstr(end, "KILL") != NULL;
    snprintf(fault.under, sizeof fault.under, "%s", under ? under : "/");
    snprintf(fault.report, sizeof fault.report, "%s", report ? report : "");
    fault.under_n = strlen(fault.under);
    fault.what = chosen;
}

void fail_calls_arm(long at);
void fail_calls_arm(long at)
{
    fault.at = at;
    fault.calls = 0;
    fault.what = ALLOC;
}

long fail_calls_disarm(void);
long fail_calls_disarm(void)
{
    fault.what = NOTHING;
    return fault.calls;
}

/* By system calls alone: the caller may be malloc. */
static void report(const char *call, const char *name)
{
    char line[TEXT_MAX + 128];
    int n = snprintf(line, sizeof line, "%ld %s %s\n", fault.at, call, name);
    long fd = syscall(SYS_openat, AT_FDCWD, fault.report,
                      O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, n);
    syscall(SYS_close, fd);
}

__attribute__((destructor)) static void end(void)
{
    char count[32];
    snprintf(count, sizeof count, "%ld", fault.calls);
    if (fault.what != NOTHING && fault.calls < fault.at) report("of", count);
}

/* ---- files --------------------------------------------------------------- */

static int is_under(const char *path)
{
    return strncmp(path, fault.under, fault.under_n) == 0;
}

/* Count a call on a file; whether it is to fail, with errno. `space`: it is one
 * that a full disk refuses. */
static int fails(const char *call, const char *name, int space)
{
    if (!is_under(name)) return 0;
    long n = __atomic_add_fetch(&fault.calls, 1, __ATOMIC_RELAXED);
    if (n == fault.at) report(call, name);
    if (n == fault.at && fault.kill) syscall(SYS_kill, getpid(), SIGKILL);
    if (n != fault.at && !(n > fault.at && fault.forever && space)) return 0;
    errno = fault.error;
    return 1;
}

static int path_fails(const char *call, const char *path, int space)
{
    char whole[2 * TEXT_MAX];
    if (fault.what != WRITE) return 0;
    if (path[0] == '/') return fails(call, path, space);
    char here[TEXT_MAX];
    if (!getcwd(here, sizeof here)) return 0;
    snprintf(whole, sizeof whole, "%s/%s", here, path);
    return fails(call, whole, space);
}

static int fd_fails(const char *call, int fd, int space)
{
    char link[64], name[TEXT_MAX];
    if (fault.what != WRITE) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    errno = before;
    if (n < 0) return 0;
    name[n] = 0;
    return fails(call, name, space);
}

static mode_t mode_of(int flags, va_list ap)
{
    return flags & O_CREAT ? (mode_t)va_arg(ap, int) : 0;
}

#define OPENER(name)                                                           \
    int name(const char *path, int flags, ...)                                 \
    {                                                                          \
        va_list ap;                                                            \
        va_start(ap, flags);                                                   \
        mode_t mode = mode_of(flags, ap);                                      \
        va_end(ap);                                                            \
        REAL(name);                                                            \
        if ((flags & O_CREAT) && path_fails("open", path, 1)) return -1;       \
        return real(path, flags, mode);                                        \
    }
OPENER(open)
OPENER(open64)

#define OPENER_AT(name)                                                        \
    int name(int dir, const char *path, int flags, ...)                        \
    {                                                                          \
        va_list ap;                                                            \
        va_start(ap, flags);                                                   \
        mode_t mode = mode_of(flags, ap);                                      \
        va_end(ap);                                                            \
        REAL(name);                                                            \
        if ((flags & O_CREAT) &&                                               \
            (path[0] == '/' || dir == AT_FDCWD ? path_fails("open", path, 1)   \
                                               : fd_fails("open", dir, 1)))    \
            return -1;                                                         \
        return real(dir, path, flags, mode);                                   \
    }
OPENER_AT(openat)
OPENER_AT(openat64)

#define FOPENER(name)                                                          \
    FILE *name(const char *path, const char *mode)                             \
    {                                                                          \
        REAL(name);                                                            \
        if (strpbrk(mode, "wa+") && path_fails("fopen", path, 1)) return NULL; \
        return real(path, mode);                                               \
    }
FOPENER(fopen)
FOPENER(fopen64)

#define BY_PATH(type, name, args, call, path, space)                           \
    type name args                                                             \
    {                                                                          \
        REAL(name);                                                            \
        if (path_fails(#name, path, space)) return -1;                         \
        return real call;                                                      \
    }
#define BY_FD(type, name, args, call, space)                                   \
    type name args                                                             \
    {                                                                          \
        REAL(name);                                                            \
        if (fd_fails(#name, fd, space)) return -1;                             \
        return real call;                                                      \
    }
BY_PATH(int, mkdir, (const char *p, mode_t m), (p, m), p, 1)
BY_PATH(int, rename, (const char *p, const char *q), (p, q), q, 1)
BY_PATH(int, link, (const char *p, const char *q), (p, q), q, 1)
BY_PATH(int, symlink, (const char *p, const char *q), (p, q), q, 1)
BY_PATH(int, truncate, (const char *p, off_t n), (p, n), p, 1)
BY_PATH(int, chmod, (const char *p, mode_t m), (p, m), p, 0)
BY_FD(int, mkdirat, (int fd, const char *p, mode_t m), (fd, p, m), 1)
BY_FD(int, ftruncate, (int fd, off_t n), (fd, n), 1)
BY_FD(int, ftruncate64, (int fd, off64_t n), (fd, n), 1)
BY_FD(int, posix_fallocate, (int fd, off_t a, off_t n), (fd, a, n), 1)
BY_FD(int, fsync, (int fd), (fd), 1)
BY_FD(int, fdatasync, (int fd), (fd), 1)
BY_FD(int, sync_file_range, (int fd, off64_t a, off64_t n, unsigned f),
      (fd, a, n, f), 0)
BY_FD(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), 1)
BY_FD(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t a),
      (fd, p, n, a), 1)
BY_FD(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t a),
      (fd, p, n, a), 1)
BY_FD(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), 1)
BY_FD(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t a),
      (fd, v, n, a), 1)

/* stdio writes by calls that cannot be replaced: lose what it holds. */
int fflush(FILE *f)
{
    REAL(fflush);
    if (f && fault.what == WRITE && __fpending(f) &&
        fd_fails("fflush", fileno(f), 1)) {
        __fpurge(f);
        return EOF;
    }
    return real(f);
}

/* ---- memory -------------------------------------------------------------- */

static __thread int inside; /* our own calls do not count */

enum { OWN = 2, STACK_MAX = OWN + 64 }; /* refuses, malloc's replacement */

/* Does the program ask, or a helper that it called? Others use them too. */
static int is_ours(void *const *stack, int n)
{
    int i = OWN;
    while (i < n && owner_of(stack[i]) == HELPER) i++;
    return i < n && owner_of(stack[i]) == PROGRAM;
}

/* Whether this stack is one not seen before. */
static int is_new_site(void *const *stack, int n)
{
    static uint64_t seen[SITES_MAX];
    static size_t sites;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int is_new = 1;
    uint64_t h = 1469598103934665603u;
    for (int i = OWN; i < n && i < OWN + DEPTH; i++)
        h = (h ^ (uint64_t)(uintptr_t)stack[i]) * 1099511628211u;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < sites && is_new; i++) is_new = seen[i] != h;
    if (is_new && sites < SITES_MAX) seen[sites++] = h;
    pthread_mutex_unlock(&lock);
    return is_new;
}

static void report_stack(const char *call, void *const *stack, int n)
{
    char text[TEXT_MAX];
    size_t at = 0;
    for (int i = OWN; i < n && i < OWN + DEPTH; i++) {
        Dl_info d = {0};
        dladdr(stack[i], &d);
        const char *file = d.dli_fname ? strrchr(d.dli_fname, '/') : NULL;
        at += (size_t)snprintf(
            text + at, sizeof text - at, "%.80s+0x%zx ", file ? file + 1 : "?",
            (size_t)((char *)stack[i] - (char *)d.dli_fbase));
    }
    report(call, text);
}

static __attribute__((noinline)) int refuses(const char *call,
                                             const void *caller)
{
    void *stack[STACK_MAX];
    if (fault.what < ALLOC || inside || owner_of(caller) == OTHERS) return 0;
    inside = 1;
    int n = backtrace(stack, STACK_MAX), yes = 0;
    if (is_ours(stack, n) && (fault.what == ALLOC || is_new_site(stack, n)))
        yes = __atomic_add_fetch(&fault.calls, 1, __ATOMIC_RELAXED) == fault.at;
    if (yes) report_stack(call, stack, n);
    inside = 0;
    if (yes) errno = ENOMEM;
    return yes;
}

#define CALLER __builtin_return_address(0)
#define ALLOCATOR(type, name, args, call)                                      \
    type name args                                                             \
    {                                                                          \
        REAL(name);                                                            \
        if (refuses(#name, CALLER)) return NULL;                               \
        return real call;                                                      \
    }
ALLOCATOR(void *, malloc, (size_t n), (n))
ALLOCATOR(void *, realloc, (void *p, size_t n), (p, n))
ALLOCATOR(void *, aligned_alloc, (size_t a, size_t n), (a, n))
ALLOCATOR(char *, strdup, (const char *s), (s))
ALLOCATOR(char *, strndup, (const char *s, size_t n), (s, n))
ALLOCATOR(FILE *, open_memstream, (char **p, size_t *n), (p, n))
ALLOCATOR(FILE *, fdopen, (int fd, const char *mode), (fd, mode))

/* dlsym may ask for zeros before there is a real calloc. */
void *calloc(size_t n, size_t size)
{
    static char early[4096];
    static size_t used;
    static int finding;
    static __typeof__(&calloc) real;
    if (!real && finding) {
        size_t bytes = (n * size + 15) & ~(size_t)15;
        used += bytes;
        return used <= sizeof early ? early + used - bytes : NULL;
    }
    finding = 1;
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "calloc");
    finding = 0;
    return refuses("calloc", CALLER) ? NULL : real(n, size);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    REAL(posix_memalign);
    return refuses("posix_memalign", CALLER) ? ENOMEM : real(p, align, n);
}

ssize_t getline(char **line, size_t *room, FILE *f)
{
    REAL(getline);
    return refuses("getline", CALLER) ? -1 : real(line, room, f);
}

int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *),
                   void *arg)
{
    REAL(pthread_create);
    return refuses("pthread_create", CALLER) ? EAGAIN : real(t, a, f, arg);
}
