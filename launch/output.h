/* SPDX-License-Identifier: MIT
 * output.h - bytes to standard output, every write checked. */
#ifndef SB_LAUNCH_OUTPUT_H
#define SB_LAUNCH_OUTPUT_H

#include <stddef.h>

#include "comm/base/status.h"

/* Once, before the first sb_output: a pipe that nobody reads is no signal. */
void sb_output_start(void);

/* Write data[0..n), unbuffered. Nobody reading on is the end, not a failure:
 * *unread becomes 1, and then nothing more is written. SB_EIO. Local. */
SB_MUST_USE sb_status sb_output(const void *data, size_t n, int *unread);

#endif
