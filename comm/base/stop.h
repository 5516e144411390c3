/* SPDX-License-Identifier: MIT
 * stop.h - being asked to stop: SIGTERM, SIGINT, SIGUSR1, or time that is up;
 * loops look whether it is so. A second SIGINT or SIGTERM ends the process at
 * once. The answer is local: loops make it common in a collective they pay
 * anyway. */
#ifndef SB_BASE_STOP_H
#define SB_BASE_STOP_H

/* Install the handlers. Before MPI starts: mpirun forwards signals early. */
void sb_stop_install(void);
/* Ask in so many seconds from now; 0: never. Before threads start. */
void sb_stop_after(double seconds);
int sb_stop_asked(void);

#endif
