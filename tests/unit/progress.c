/* SPDX-License-Identifier: MIT
 * progress.c - tests of comm/base/log.c's progress lines and of
 * comm/base/terminal.c, on a real terminal (a pseudo one) and in a file. */
#define _XOPEN_SOURCE 700 /* posix_openpt */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "comm/base/log.h"
#include "comm/base/terminal.h"

static char said[1 << 14];
static int real_stderr, far_end;

static void begin(int fd, int reader)
{
    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    close(fd);
    far_end = reader;
}

static void begin_pipe(void)
{
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    begin(fd[1], fd[0]);
}

static void begin_terminal(unsigned short columns)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    struct winsize w = {.ws_row = 24, .ws_col = columns};
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &w), 0);
    begin(slave, master);
}

/* What was printed since begin. With nobody writing any more, reading ends. */
static const char *end(void)
{
    fflush(stderr);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    size_t n = 0;
    for (ssize_t k; (k = read(far_end, said + n, sizeof said - 1 - n)) > 0;)
        n += (size_t)k;
    said[n] = 0;
    close(far_end);
    return said;
}

static int up(void **state)
{
    (void)state;
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("SB_PROGRESS_S", "0.000001", 1);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    unsetenv("SB_TERMINAL");
    return 0;
}

/* Three lines and a last one. */
static void run(void)
{
    sb_progress p;
    sb_progress_begin(&p, "mlm", 0);
    for (int i = 1; i <= 3; i++) {
        p.shown -= 1; /* it was a second ago */
        sb_progress_show(&p, i / 4.0, "step %d/4  loss 1.5  %s", i,
                         "a text that is far longer than a narrow terminal is "
                         "wide, so that it must be cut");
    }
    sb_progress_end(&p, "4 steps");
}

/* Columns of the widest of the lines that \r begins, without colours. */
static int widest(const char *s, int *lines)
{
    int most = 0, now = 0;
    *lines = 0;
    for (; *s; s++) {
        if (*s == '\033') {
            s += strcspn(s, "mK");
        } else if (*s == '\r') {
            now = 0;
            ++*lines;
        } else if (*s != '\n' && ((unsigned char)*s & 0xc0) != 0x80) {
            if (++now > most) most = now;
        }
    }
    return most;
}

static void a_file_gets_plain_lines(void **state)
{
    (void)state;
    begin_pipe();
    run();
    end();
    assert_null(strchr(said, '\r'));
    assert_null(strchr(said, '\033'));
    assert_non_null(strstr(said, "mlm       25.0 %  step 1/4  loss 1.5"));
    assert_non_null(strstr(said, "must be cut  ETA "));
    assert_non_null(strstr(said, "mlm      done     4 steps  in 0s\n"));
}

static void a_terminal_gets_a_bar_in_a_line_that_fits(void **state)
{
    (void)state;
    int lines;
    for (unsigned short columns = 20; columns < 200; columns += 13) {
        begin_terminal(columns);
        run();
        end();
        char *done = strstr(said, "mlm      done     4 steps");
        assert_non_null(done);
        *done = 0; /* that one stays, and may be longer */
        assert_in_range(widest(said, &lines), 15, columns - 1);
        assert_true(lines >= 4);
        assert_true(columns < 80 || strstr(said, "\u2501"));
        assert_true(columns < 80 || strstr(said, " 50.0 %  ETA "));
    }
}

static void no_colour_is_respected(void **state)
{
    (void)state;
    begin_terminal(100);
    run();
    sb_log(SB_LOG_WARN, "look");
    end();
    assert_non_null(strstr(said, "\033[32m"));
    assert_non_null(strstr(said, "\033[33mwarning: \033[0mlook"));
    setenv("NO_COLOR", "1", 1);
    setenv("LC_ALL", "C", 1);
    begin_terminal(100);
    run();
    sb_log(SB_LOG_WARN, "look");
    end();
    assert_null(strstr(said, "\033[3"));
    assert_null(strstr(said, "\033[0m"));
    assert_non_null(strstr(said, "######-------   50.0 %"));
    assert_non_null(strstr(said, "warning: look"));
    setenv("NO_COLOR", "", 1); /* empty is not set */
    begin_terminal(100);
    run();
    assert_non_null(strstr(end(), "\033[32m"));
}

static void mpirun_tells_of_a_terminal_behind_its_pipe(void **state)
{
    (void)state;
    int lines;
    setenv("SB_TERMINAL", "90", 1);
    begin_pipe();
    assert_int_equal(sb_terminal_columns(), 90);
    run();
    end();
    assert_in_range(widest(said, &lines), 60, 89);
    setenv("TERM", "dumb", 1);
    assert_int_equal(sb_terminal_columns(), 0);
    setenv("TERM", "xterm", 1);
    setenv("SB_TERMINAL", "-7", 1);
    assert_int_equal(sb_terminal_columns(), 0);
    setenv("SB_TERMINAL", "999999999999999999999", 1);
    assert_int_equal(sb_terminal_columns(), 1000);
}

static void a_message_begins_on_a_line_of_its_own(void **state)
{
    (void)state;
    sb_progress p;
    begin_terminal(80);
    sb_progress_begin(&p, "mlm", 0);
    p.shown -= 1;
    sb_progress_show(&p, 0.5, "step");
    sb_log(SB_LOG_INFO, "a message");
    end();
    assert_non_null(strstr(said, "step\r\nshardbert: a message\r\n"));
}

static void text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[] = "a\u00e9\u20acb";
    sb_terminal_cut(text, 9);
    assert_string_equal(text, "a\u00e9\u20acb");
    sb_terminal_cut(text, 3);
    assert_string_equal(text, "a\u00e9\u20ac");
    sb_terminal_cut(text, 2);
    assert_string_equal(text, "a\u00e9");
    sb_terminal_cut(text, -1);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup(f, up)
        T(a_file_gets_plain_lines),
        T(a_terminal_gets_a_bar_in_a_line_that_fits),
        T(no_colour_is_respected),
        T(mpirun_tells_of_a_terminal_behind_its_pipe),
        T(a_message_begins_on_a_line_of_its_own),
        T(text_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
