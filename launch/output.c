/* SPDX-License-Identifier: MIT
 * output.c - write(2) until all is written. */
#include "launch/output.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

void sb_output_start(void)
{
    signal(SIGPIPE, SIG_IGN); /* EPIPE instead */
}

sb_status sb_output(const void *data, size_t n, int *unread)
{
    for (size_t at = 0; at < n && !*unread;) {
        ssize_t k = write(STDOUT_FILENO, (const char *)data + at, n - at);
        if (k >= 0)
            at += (size_t)k;
        else if (errno == EPIPE)
            *unread = 1;
        else
            SB_REQUIRE(errno == EINTR, SB_EIO,
                       "cannot write to standard output: %s", strerror(errno));
    }
    return SB_OK;
}
