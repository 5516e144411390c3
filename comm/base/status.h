/* SPDX-License-Identifier: MIT
 * status.h - how every function in shardbert reports failure.
 *
 *   1. A function that can fail returns sb_status. Results leave through
 *      trailing *_out arguments, written only when the call returns SB_OK.
 *   2. The first function that knows what went wrong records it (SB_FAIL) with
 *      the names and numbers a reader needs. Everyone above only forwards
 *      (SB_TRY). Nothing below launch/main.c prints an error or exits.
 *   3. A status is LOCAL to the rank until sb_agree() (comm/agree.h) makes it
 *      common. Code between two agreement points must not skip a collective
 *      because of a local failure.
 *
 * The record is per thread. A worker's record is handed to the thread that
 * joins it with sb_error_set() (comm/base/pool.h does that).
 */
#ifndef SB_BASE_STATUS_H
#define SB_BASE_STATUS_H

#include <stddef.h>

#define SB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SB_MUST_USE          __attribute__((warn_unused_result))

typedef enum sb_status {
    SB_OK = 0,
    SB_EINVAL,   /* bad option, argument or shape; the user can fix it      */
    SB_EIO,      /* the operating system refused; message carries strerror  */
    SB_ENOENT,   /* a named file, shard, tensor or checkpoint is not there  */
    SB_EFORMAT,  /* bytes on disk are not what they should be               */
    SB_EVERSION, /* well-formed, but written by a format we do not read     */
    SB_ENOMEM,   /* allocation failed; message carries the bytes asked for  */
    SB_ELIMIT,   /* a count does not fit where it must go                   */
    SB_ENAN,     /* loss or gradient norm is infinity or NaN                */
    SB_EMPI,     /* an MPI call failed, or ranks do not fit together        */
    SB_ESTOP,    /* not a failure: asked to stop, state is saved            */
    SB_EBUG      /* an invariant of ours does not hold                      */
} sb_status;

enum { SB_ERROR_TEXT_MAX = 512, SB_ERROR_HINT_MAX = 256 };

/* The last failure recorded on this thread. `text` is one line, lower case,
 * no trailing period. `hint`, if not empty, says what to try. `rank` is -1
 * and `host` empty until sb_agree() fills them. */
typedef struct sb_error {
    sb_status code;
    int rank;
    int line;
    char file[48];
    char host[64];
    char text[SB_ERROR_TEXT_MAX];
    char hint[SB_ERROR_HINT_MAX];
} sb_error;

/* Record a failure (clears the hint) and return `code`. Use SB_FAIL, which
 * supplies file and line. Control characters in the text become '?'. */
sb_status sb_fail(sb_status code, const char *file, int line, const char *fmt,
                  ...) SB_PRINTF(4, 5);

/* Add "what to try" to this thread's record; returns the record's code, so
 * that `return sb_hint(...)` works after a failing call. */
sb_status sb_hint(const char *fmt, ...) SB_PRINTF(1, 2);

/* This thread's record. Valid until the next sb_fail() on this thread. */
const sb_error *sb_error_last(void);

/* Make `from` this thread's record and return its code. */
sb_status sb_error_set(const sb_error *from);

/* "i/o", "format", ...: one or two words, static storage. */
const char *sb_status_name(sb_status s);

/* The process's exit code: 0 done, 1 bug, 2 options, 3 i/o or format,
 * 4 memory or limit, 5 numeric, 6 MPI, 75 stopped on request. */
int sb_status_exit(sb_status s);

/* Tells the compiler that a failure is not SB_OK, so that it does not warn of
 * results that only success writes. */
static inline sb_status sb_failed(sb_status s)
{
    if (s == SB_OK) __builtin_unreachable();
    return s;
}

#define SB_FAIL(code, ...)                                                     \
    return sb_failed(sb_fail((code), __FILE__, __LINE__, __VA_ARGS__))

#define SB_REQUIRE(cond, code, ...)                                            \
    do {                                                                       \
        if (!(cond)) SB_FAIL((code), __VA_ARGS__);                             \
    } while (0)

#define SB_TRY(call)                                                           \
    do {                                                                       \
        sb_status sb_try_ = (call);                                            \
        if (sb_try_ != SB_OK) return sb_try_;                                  \
    } while (0)

/* In a function that ends in `out:` with a local `st`: remember and unwind. */
#define SB_GOTO(st, call, out)                                                 \
    do {                                                                       \
        (st) = (call);                                                         \
        if ((st) != SB_OK) goto out;                                           \
    } while (0)

#endif
