/* SPDX-License-Identifier: MIT
 * stop.h - being asked to stop: SIGTERM, SIGINT, SIGUSR1 set a flag that the
 * loops look at; a second SIGINT or SIGTERM ends the process at once.
 * The flag is local: loops make it common in a collective they pay anyway. */
#ifndef SB_BASE_STOP_H
#define SB_BASE_STOP_H

/* Install the handlers. Before MPI starts: mpirun forwards signals early. */
void sb_stop_install(void);
int sb_stop_asked(void);

#endif
