/* SPDX-License-Identifier: MIT
 * text.c - UTF-8 and BERT's normalisation.
 *
 * Invariants:
 *   1. What sb_normalise writes is valid UTF-8 without control characters, and
 *      its only white space is ' '.
 *   2. Time is O(n log n) and memory O(n) for any input: canonical reordering
 *      sorts, it does not bubble.
 *
 * Knows nothing of words' meaning, files or vocabularies. */
#include "dataset/text.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "comm/base/mem.h"
#include "dataset/text_tables.h"

enum { DECOMPOSED_MAX = 32, UTF8_MAX = 4 };

/* ---- UTF-8 --------------------------------------------------------------- */

static int is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of the character at p[0..n), n > 0, and its value; 0 if invalid. */
static size_t decode(const unsigned char *p, size_t n, uint32_t *c_out)
{
    uint32_t a = p[0];
    if (a < 0x80) {
        *c_out = a;
        return 1;
    }
    if (a < 0xc2) return 0;
    if (a < 0xe0) {
        if (n < 2 || !is_tail(p[1])) return 0;
        *c_out = (a & 0x1f) << 6 | (p[1] & 0x3fu);
        return 2;
    }
    if (a < 0xf0) {
        if (n < 3 || !is_tail(p[1]) || !is_tail(p[2])) return 0;
        uint32_t c = (a & 0x0f) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
        if (c < 0x800 || (c >= 0xd800 && c < 0xe000)) return 0;
        *c_out = c;
        return 3;
    }
    if (n < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3])) return 0;
    uint32_t c = (a & 0x07) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 |
                 (p[3] & 0x3fu);
    if (a > 0xf4 || c < 0x10000 || c > 0x10ffff) return 0;
    *c_out = c;
    return 4;
}

static size_t encode(uint32_t c, char *to)
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)c,
                                        (utf8proc_uint8_t *)to);
}

/* Bytes of p[0..n) before the first that is not ASCII. */
static size_t ascii_run(const unsigned char *p, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t v;
        memcpy(&v, p + i, 8);
        if (v & 0x8080808080808080u) break;
    }
    while (i < n && p[i] < 0x80) i++;
    return i;
}

size_t sb_utf8_valid(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    while (i < n) {
        uint32_t c;
        size_t k = ascii_run(p + i, n - i);
        if (!k) k = decode(p + i, n - i, &c);
        if (!k) break;
        i += k;
    }
    return i;
}

/* ---- buffer -------------------------------------------------------------- */

static sb_status reserve(sb_buffer *b, size_t more)
{
    size_t need;
    SB_REQUIRE(!__builtin_add_overflow(b->n, more, &need), SB_ELIMIT,
               "a text of more than %zu bytes", b->n);
    return sb_grow(&b->data, &b->cap, need, 1, "text");
}

sb_status sb_buffer_add(sb_buffer *b, const void *data, size_t n)
{
    SB_TRY(reserve(b, n));
    if (n) memcpy(b->data + b->n, data, n);
    b->n += n;
    return SB_OK;
}

/* ---- what kind of character ---------------------------------------------- */

static int in_ranges(const uint32_t (*range)[2], size_t n, uint32_t c)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c > range[mid][1])
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && c >= range[low][0];
}

#define IN(table, c) in_ranges((table), sizeof(table) / sizeof *(table), (c))

/* Three characters changed their category after Unicode 8. */
static utf8proc_category_t category(uint32_t c)
{
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    if (c < too_new[0][0]) return k;
    if (c == 0x1734) return UTF8PROC_CATEGORY_MN;
    if (c == 0x166d || c == 0x111c9) return UTF8PROC_CATEGORY_PO;
    int matters = k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_CF ||
                  (k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO);
    return matters && IN(too_new, c) ? UTF8PROC_CATEGORY_CN : k;
}

static uint64_t combining_class(uint32_t c)
{
    uint64_t k =
        (uint16_t)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
    return k && IN(no_class, c) ? 0 : k;
}

static uint32_t lower(uint32_t c)
{
    for (size_t i = 0; i < sizeof new_capitals / sizeof *new_capitals; i++) {
        if (c < new_capitals[i].first) break;
        if (c <= new_capitals[i].last &&
            (c - new_capitals[i].first) % new_capitals[i].step == 0)
            return (uint32_t)((int32_t)c + new_capitals[i].to_lower);
    }
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

static int is_dropped(uint32_t c)
{
    switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
        return 1;
    default:
        return c == 0xfffd;
    }
}

static int is_space(uint32_t c)
{
    switch (category(c)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return 1;
    default:
        return 0;
    }
}

/* The ranges are Hugging Face's. 2B920 is a slip there for 2B820, kept so
 * that the same text gets the same ids. */
static int is_ideograph(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
           (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static int is_accent(uint32_t c)
{
    return category(c) == UTF8PROC_CATEGORY_MN;
}

static int is_punctuation(uint32_t c)
{
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

/* ---- normalisation ------------------------------------------------------- */

/* ASCII after cleaning and lower case; 0: dropped. */
static const unsigned char ascii_map[128] = {
    [9] = ' ',   [10] = ' ',  [13] = ' ',  [32] = ' ',  ['!'] = '!',
    ['"'] = '"', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&',
    [39] = 39,   ['('] = '(', [')'] = ')', ['*'] = '*', ['+'] = '+',
    [','] = ',', ['-'] = '-', ['.'] = '.', ['/'] = '/', ['0'] = '0',
    ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', [':'] = ':',
    [';'] = ';', ['<'] = '<', ['='] = '=', ['>'] = '>', ['?'] = '?',
    ['@'] = '@', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd',
    ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i',
    ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n',
    ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's',
    ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x',
    ['Y'] = 'y', ['Z'] = 'z', ['['] = '[', [92] = 92,   [']'] = ']',
    ['^'] = '^', ['_'] = '_', ['`'] = '`', ['a'] = 'a', ['b'] = 'b',
    ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g',
    ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l',
    ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q',
    ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v',
    ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['{'] = '{',
    ['|'] = '|', ['}'] = '}', ['~'] = '~'};

/* Marks that wait for canonical ordering: class << 56 | arrival << 24 | c. */
typedef struct marks {
    uint64_t *key;
    size_t n, cap;
} marks;

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static sb_status put(sb_buffer *out, uint32_t c)
{
    SB_TRY(reserve(out, UTF8_MAX));
    out->n += encode(lower(c), out->data + out->n);
    return SB_OK;
}

static sb_status flush(marks *m, sb_buffer *out)
{
    if (m->n > 1) qsort(m->key, m->n, sizeof *m->key, by_key);
    for (size_t i = 0; i < m->n; i++)
        SB_TRY(put(out, (uint32_t)(m->key[i] & 0xffffff)));
    m->n = 0;
    return SB_OK;
}

/* One character of the decomposition. Dropping accents before they are put in
 * order is the same as after: the order of the rest does not depend on them,
 * but one of class 0 still parts what stands before and behind it. */
static sb_status add_decomposed(marks *m, sb_buffer *out, uint32_t c)
{
    uint64_t order = combining_class(c);
    if (!order) {
        SB_TRY(flush(m, out));
        return is_accent(c) ? SB_OK : put(out, c);
    }
    if (is_accent(c)) return SB_OK;
    SB_REQUIRE(m->n < UINT32_MAX, SB_ELIMIT, "too many combining marks");
    SB_TRY(sb_grow(&m->key, &m->cap, m->n + 1, sizeof *m->key, "marks"));
    m->key[m->n] = order << 56 | (uint64_t)m->n << 24 | c;
    m->n++;
    return SB_OK;
}

static sb_status add_char(marks *m, sb_buffer *out, uint32_t c)
{
    if (is_dropped(c)) return SB_OK;
    if (is_space(c)) {
        SB_TRY(flush(m, out));
        return sb_buffer_add(out, " ", 1);
    }
    int apart = is_ideograph(c), bound = 0;
    utf8proc_int32_t to[DECOMPOSED_MAX];
    utf8proc_option_t how = c == LATE_DECOMPOSED ? 0 : UTF8PROC_DECOMPOSE;
    utf8proc_ssize_t k = utf8proc_decompose_char((utf8proc_int32_t)c, to,
                                                 DECOMPOSED_MAX, how, &bound);
    SB_REQUIRE(k >= 0 && k <= DECOMPOSED_MAX, SB_EBUG,
               "cannot decompose U+%04X", (unsigned)c);
    if (apart) {
        SB_TRY(flush(m, out));
        SB_TRY(sb_buffer_add(out, " ", 1));
    }
    for (utf8proc_ssize_t i = 0; i < k; i++)
        SB_TRY(add_decomposed(m, out, (uint32_t)to[i]));
    if (apart) {
        SB_TRY(flush(m, out));
        SB_TRY(sb_buffer_add(out, " ", 1));
    }
    return SB_OK;
}

static sb_status add_ascii(marks *m, sb_buffer *out, const unsigned char *p,
                           size_t n)
{
    SB_TRY(flush(m, out));
    SB_TRY(reserve(out, n));
    char *to = out->data + out->n;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = ascii_map[p[i]];
        *to = (char)c;
        to += c != 0;
    }
    out->n = (size_t)(to - out->data);
    return SB_OK;
}

sb_status sb_normalise(const char *text, size_t n, sb_buffer *out)
{
    const unsigned char *p = (const unsigned char *)text;
    marks m = {NULL, 0, 0};
    sb_status st = SB_OK;
    out->n = 0;
    for (size_t i = 0; i < n;) {
        size_t run = ascii_run(p + i, n - i);
        if (run) SB_GOTO(st, add_ascii(&m, out, p + i, run), out);
        i += run;
        if (i == n) break;
        uint32_t c = 0xfffd; /* an invalid byte, against the contract */
        size_t k = decode(p + i, n - i, &c);
        SB_GOTO(st, add_char(&m, out, c), out);
        i += k ? k : 1;
    }
    st = flush(&m, out);
out:
    sb_free(m.key);
    return st;
}

/* ---- words --------------------------------------------------------------- */

static int is_ascii_letter(uint32_t c)
{
    return ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9');
}

sb_char_kind sb_char_at(const char *text, size_t n, uint32_t *code_out,
                        size_t *bytes_out)
{
    const unsigned char *p = (const unsigned char *)text;
    uint32_t c = *code_out = p[0];
    *bytes_out = 1;
    if (c < 0x80) {
        if (c == ' ' || (c >= 9 && c <= 13)) return SB_CHAR_SPACE;
        int symbol = c > ' ' && c < 127 && !is_ascii_letter(c);
        return symbol ? SB_CHAR_PUNCTUATION : SB_CHAR_LETTER;
    }
    size_t k = decode(p, n, &c);
    if (!k) return SB_CHAR_LETTER;
    *code_out = c;
    *bytes_out = k;
    if (is_ideograph(c)) return SB_CHAR_IDEOGRAPH;
    return is_punctuation(c) ? SB_CHAR_PUNCTUATION : SB_CHAR_LETTER;
}

size_t sb_next_word(const char *text, size_t n, size_t *at,
                    const char **word_out)
{
    size_t i = *at, k = 1;
    uint32_t c;
    while (i < n && sb_char_at(text + i, n - i, &c, &k) == SB_CHAR_SPACE) i++;
    size_t from = i;
    for (; i < n; i += k) {
        sb_char_kind kind = sb_char_at(text + i, n - i, &c, &k);
        if (kind == SB_CHAR_LETTER || kind == SB_CHAR_IDEOGRAPH) continue;
        if (kind == SB_CHAR_PUNCTUATION && i == from) i += k;
        break;
    }
    *at = i;
    *word_out = n ? text + from : text;
    return i - from;
}
