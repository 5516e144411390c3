/* SPDX-License-Identifier: MIT
 * terminal.h - is somebody looking, and at what? Of standard error. Local. */
#ifndef SB_BASE_TERMINAL_H
#define SB_BASE_TERMINAL_H

#include <stddef.h>

/* Columns of the terminal; 0: it is a file or a pipe. A rank's standard error
 * is mpirun's pipe, so launch/mpirun.sh passes the columns of the terminal
 * behind it in SB_TERMINAL (0: there is none). */
int sb_terminal_columns(void);

/* 1 if colours may be used: a terminal, and no NO_COLOR (no-color.org). */
int sb_terminal_colours(void);

/* A bar of `columns` columns of which `share` in [0, 1] is done, with colours
 * and line drawing where the terminal has them, ended by a NUL. At most 4 bytes
 * a column and 16 more; SB_BAR_MAX columns. */
enum { SB_BAR_MAX = 40 };
void sb_terminal_bar(double share, int columns, char bar[4 * SB_BAR_MAX + 16]);

/* Cut text at `columns` columns, one for each character. */
void sb_terminal_cut(char *text, int columns);

#endif
