/* SPDX-License-Identifier: MIT
 * wiki_entity.c - HTML's entities, the common ones: &ndash; &#8211; &#x2013; */
#include "dataset/wiki_words.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 40 };

/* Sorted by name, in bytes. */
static const struct {
    const char *name, *text;
} entities[] = {
    {"Agrave", "À"},    {"Alpha", "Α"},  {"Aring", "Å"},   {"Auml", "Ä"},
    {"Beta", "Β"},      {"Ccedil", "Ç"}, {"Dagger", "‡"},  {"Delta", "Δ"},
    {"Eacute", "É"},    {"Gamma", "Γ"},  {"Lambda", "Λ"},  {"Omega", "Ω"},
    {"Oslash", "Ø"},    {"Ouml", "Ö"},   {"Phi", "Φ"},     {"Pi", "Π"},
    {"Prime", "″"},     {"Psi", "Ψ"},    {"Sigma", "Σ"},   {"Theta", "Θ"},
    {"Uuml", "Ü"},      {"aacute", "á"}, {"acirc", "â"},   {"acute", "´"},
    {"aelig", "æ"},     {"agrave", "à"}, {"alpha", "α"},   {"amp", "&"},
    {"and", "∧"},       {"ang", "∠"},    {"apos", "'"},    {"aring", "å"},
    {"asymp", "≈"},     {"atilde", "ã"}, {"auml", "ä"},    {"bdquo", "„"},
    {"beta", "β"},      {"brvbar", "¦"}, {"bull", "•"},    {"cap", "∩"},
    {"ccedil", "ç"},    {"cent", "¢"},   {"chi", "χ"},     {"cong", "≅"},
    {"copy", "©"},      {"cup", "∪"},    {"curren", "¤"},  {"dagger", "†"},
    {"darr", "↓"},      {"deg", "°"},    {"delta", "δ"},   {"divide", "÷"},
    {"eacute", "é"},    {"ecirc", "ê"},  {"egrave", "è"},  {"empty", "∅"},
    {"emsp", " "},      {"ensp", " "},   {"epsilon", "ε"}, {"equiv", "≡"},
    {"eta", "η"},       {"eth", "ð"},    {"euml", "ë"},    {"euro", "€"},
    {"exist", "∃"},     {"fnof", "ƒ"},   {"forall", "∀"},  {"frac12", "½"},
    {"frac14", "¼"},    {"frac34", "¾"}, {"frasl", "⁄"},   {"gamma", "γ"},
    {"ge", "≥"},        {"gt", ">"},     {"hArr", "⇔"},    {"hairsp", " "},
    {"harr", "↔"},      {"hellip", "…"}, {"iacute", "í"},  {"icirc", "î"},
    {"iexcl", "¡"},     {"infin", "∞"},  {"int", "∫"},     {"iota", "ι"},
    {"iquest", "¿"},    {"isin", "∈"},   {"iuml", "ï"},    {"kappa", "κ"},
    {"lambda", "λ"},    {"lang", "⟨"},   {"laquo", "«"},   {"larr", "←"},
    {"lceil", "⌈"},     {"ldquo", "“"},  {"le", "≤"},      {"lfloor", "⌊"},
    {"lowast", "∗"},    {"lrm", ""},     {"lsquo", "‘"},   {"lt", "<"},
    {"macr", "¯"},      {"mdash", "—"},  {"micro", "µ"},   {"middot", "·"},
    {"minus", "−"},     {"mu", "μ"},     {"nabla", "∇"},   {"nbsp", " "},
    {"ndash", "–"},     {"ne", "≠"},     {"not", "¬"},     {"ntilde", "ñ"},
    {"nu", "ν"},        {"oacute", "ó"}, {"ocirc", "ô"},   {"oelig", "œ"},
    {"ograve", "ò"},    {"omega", "ω"},  {"or", "∨"},      {"ordf", "ª"},
    {"ordm", "º"},      {"oslash", "ø"}, {"otilde", "õ"},  {"ouml", "ö"},
    {"para", "¶"},      {"part", "∂"},   {"permil", "‰"},  {"phi", "φ"},
    {"pi", "π"},        {"plusmn", "±"}, {"pound", "£"},   {"prime", "′"},
    {"prod", "∏"},      {"prop", "∝"},   {"psi", "ψ"},     {"quot", "\""},
    {"rArr", "⇒"},      {"radic", "√"},  {"rang", "⟩"},    {"raquo", "»"},
    {"rarr", "→"},      {"rceil", "⌉"},  {"rdquo", "”"},   {"reg", "®"},
    {"rfloor", "⌋"},    {"rho", "ρ"},    {"rlm", ""},      {"rsquo", "’"},
    {"sbquo", "‚"},     {"scaron", "š"}, {"sdot", "⋅"},    {"sect", "§"},
    {"shy", ""},        {"sigma", "σ"},  {"sub", "⊂"},     {"sube", "⊆"},
    {"sum", "∑"},       {"sup", "⊃"},    {"sup1", "¹"},    {"sup2", "²"},
    {"sup3", "³"},      {"supe", "⊇"},   {"szlig", "ß"},   {"tau", "τ"},
    {"theta", "θ"},     {"thinsp", " "}, {"thorn", "þ"},   {"tilde", "˜"},
    {"times", "×"},     {"trade", "™"},  {"uacute", "ú"},  {"uarr", "↑"},
    {"ucirc", "û"},     {"ugrave", "ù"}, {"uuml", "ü"},    {"xi", "ξ"},
    {"yacute", "ý"},    {"yen", "¥"},    {"zeta", "ζ"},    {"zwj", "\u200d"},
    {"zwnj", "\u200c"},
};

static void encode(uint32_t c, char to[8])
{
    unsigned char *u = (unsigned char *)to;
    size_t k = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = k; i-- > 1; c >>= 6)
        u[i] = (unsigned char)(0x80 | (c & 63));
    u[0] = (unsigned char)(lead[k] | c);
    u[k] = 0;
}

static int digit(char c, uint32_t base)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return base == 16 && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* &#65; &#x41; What is no character, or one of control, stands for nothing. */
static size_t number(const char *p, size_t n, char to[8])
{
    uint32_t base = n > 2 && (p[2] | 32) == 'x' ? 16 : 10, c = 0;
    size_t first = base == 16 ? 3 : 2, i = first;
    for (; i < n && i < DIGITS_MAX; i++) {
        int d = digit(p[i], base);
        if (d < 0) break;
        if (c <= 0x10ffff) c = c * base + (uint32_t)d;
    }
    if (i == first || i >= n || p[i] != ';') return 0;
    to[0] = 0;
    int space = c == '\t' || c == '\n' || c == 0xa0 || c == 0x202f ||
                c == 0x3000 || (c >= 0x2000 && c <= 0x200a);
    int none = c < ' ' || (c >= 127 && c < 160) || c == 0xad ||
               (c >= 0xd800 && c < 0xe000) || (c & 0xfffe) == 0xfffe ||
               c > 0x10ffff;
    if (space)
        strcpy(to, " ");
    else if (!none)
        encode(c, to);
    return i + 1;
}

static int by_entity(const void *key, const void *row)
{
    return strcmp(key, *(const char *const *)row);
}

size_t sb_wiki_entity(const char *p, size_t n, char to[8])
{
    char name[12];
    size_t k = 0;
    if (n > 2 && p[1] == '#') return number(p, n, to);
    while (1 + k < n && k < sizeof name - 1 &&
           (((p[1 + k] | 32) >= 'a' && (p[1 + k] | 32) <= 'z') ||
            digit(p[1 + k], 10) >= 0)) {
        name[k] = p[1 + k];
        k++;
    }
    name[k] = 0;
    if (!k || 1 + k >= n || p[1 + k] != ';') return 0;
    const char *const *row =
        bsearch(name, entities, sizeof entities / sizeof *entities,
                sizeof *entities, by_entity);
    if (!row) return 0;
    strcpy(to, row[1]);
    return k + 2;
}
