/* SPDX-License-Identifier: MIT
 * events.h - event files, as TensorBoard reads them.
 *
 *   record: u64 length of the message, u32 masked CRC-32C of those 8 bytes,
 *           the message, u32 masked CRC-32C of it; all little-endian
 *   mask:   the checksum rotated right by 15 bits, plus 0xa282ead8
 *
 * The messages are in proto/tensorboard.proto. Every start writes a file of its
 * own, events.out.tfevents.<seconds>.<host>.<process>; TensorBoard reads all of
 * a folder in the order of their names. A record that a kill tore is the end of
 * its file. Each event reaches the operating system at once, and nothing is
 * synced: a lost event is no lost state.
 */
#ifndef SB_PROTO_EVENTS_H
#define SB_PROTO_EVENTS_H

#include <stdint.h>

#include "comm/base/status.h"

typedef struct sb_events sb_events;

/* A new file in `dir`. What other files of the folder say of the steps from
 * `step` on is void: those are done again. */
SB_MUST_USE sb_status sb_events_open(const char *dir, uint64_t step,
                                     sb_events **events_out);
/* n values at `step`: tag[i] (printable ASCII) is value[i], as a float. A
 * failure is kept for close, and nothing is written after it. */
void sb_events_scalars(sb_events *e, uint64_t step, const char *const *tag,
                       const double *value, int n);
/* NULL is fine. SB_EIO, SB_ENOMEM: the first failure. */
SB_MUST_USE sb_status sb_events_close(sb_events *e);

#endif
