/* SPDX-License-Identifier: MIT
 * stop.c - the stop flag. */
#include "comm/base/stop.h"

#include <signal.h>
#include <string.h>

#include "comm/base/log.h"

static volatile sig_atomic_t asked;
static double deadline; /* by sb_now; 0: none */

static void note(int signal_number)
{
    static volatile sig_atomic_t hard; /* TERM and INT so far */
    if (signal_number != SIGUSR1 && hard++) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
    asked = 1;
}

void sb_stop_install(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = note;
    a.sa_flags = SA_RESTART;
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGUSR1, &a, NULL);
}

void sb_stop_after(double seconds)
{
    deadline = seconds > 0 ? sb_now() + seconds : 0;
}

int sb_stop_asked(void)
{
    return asked || (deadline > 0 && sb_now() > deadline);
}
