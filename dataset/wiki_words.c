/* SPDX-License-Identifier: MIT
 * wiki_words.c - the words that mean something to MediaWiki.
 *
 * Every table is sorted by name, in bytes; its names are in lower case, and
 * words are looked up without regard to the case of ASCII letters. Russian ones
 * are written as they are, with a capital.
 *
 * Namespaces and headings are those of the English, German, French, Spanish,
 * Italian, Portuguese, Dutch and Russian Wikipedias. */
#include "dataset/wiki_words.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 40 };

/* ---- looking up ---------------------------------------------------------- */

static int by_name(const void *key, const void *row)
{
    return strcmp(key, *(const char *const *)row);
}

/* to <- p[0..n) in lower case, '_' a space, none at the ends. 0: too long. */
static int fold(const char *p, size_t n, char to[WORD_MAX])
{
    while (n && (*p == ' ' || *p == '_')) p++, n--;
    while (n && (p[n - 1] == ' ' || p[n - 1] == '_')) n--;
    if (n >= WORD_MAX) return 0;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
        to[i] = c == '_' || c == '\t' ? ' ' : c;
    }
    to[n] = 0;
    return 1;
}

/* Rows begin with their name. */
#define FIND(key, table)                                                       \
    bsearch((key), (table), sizeof(table) / sizeof *(table), sizeof *(table),  \
            by_name)

/* ---- tags ---------------------------------------------------------------- */

static const struct {
    const char *name;
    sb_wiki_tag tag;
} tags[] = {
    {"abbr", SB_TAG_INLINE},
    {"b", SB_TAG_INLINE},
    {"bdi", SB_TAG_INLINE},
    {"bdo", SB_TAG_INLINE},
    {"big", SB_TAG_INLINE},
    {"blockquote", SB_TAG_BLOCK},
    {"br", SB_TAG_BLOCK},
    {"caption", SB_TAG_BLOCK},
    {"categorytree", SB_TAG_HIDDEN},
    {"ce", SB_TAG_HIDDEN},
    {"center", SB_TAG_BLOCK},
    {"chem", SB_TAG_HIDDEN},
    {"cite", SB_TAG_INLINE},
    {"code", SB_TAG_INLINE},
    {"data", SB_TAG_INLINE},
    {"dd", SB_TAG_BLOCK},
    {"del", SB_TAG_INLINE},
    {"dfn", SB_TAG_INLINE},
    {"div", SB_TAG_BLOCK},
    {"dl", SB_TAG_BLOCK},
    {"dt", SB_TAG_BLOCK},
    {"em", SB_TAG_INLINE},
    {"font", SB_TAG_INLINE},
    {"gallery", SB_TAG_HIDDEN},
    {"graph", SB_TAG_HIDDEN},
    {"h1", SB_TAG_BLOCK},
    {"h2", SB_TAG_BLOCK},
    {"h3", SB_TAG_BLOCK},
    {"h4", SB_TAG_BLOCK},
    {"h5", SB_TAG_BLOCK},
    {"h6", SB_TAG_BLOCK},
    {"hiero", SB_TAG_HIDDEN},
    {"hr", SB_TAG_BLOCK},
    {"i", SB_TAG_INLINE},
    {"imagemap", SB_TAG_HIDDEN},
    {"includeonly", SB_TAG_HIDDEN},
    {"indicator", SB_TAG_HIDDEN},
    {"inputbox", SB_TAG_HIDDEN},
    {"ins", SB_TAG_INLINE},
    {"kbd", SB_TAG_INLINE},
    {"li", SB_TAG_BLOCK},
    {"mapframe", SB_TAG_HIDDEN},
    {"maplink", SB_TAG_HIDDEN},
    {"mark", SB_TAG_INLINE},
    {"math", SB_TAG_HIDDEN},
    {"noinclude", SB_TAG_INLINE},
    {"nowiki", SB_TAG_LITERAL},
    {"ol", SB_TAG_BLOCK},
    {"onlyinclude", SB_TAG_INLINE},
    {"p", SB_TAG_BLOCK},
    {"poem", SB_TAG_BLOCK},
    {"pre", SB_TAG_LITERAL},
    {"q", SB_TAG_INLINE},
    {"rb", SB_TAG_INLINE},
    {"ref", SB_TAG_HIDDEN},
    {"references", SB_TAG_HIDDEN},
    {"rp", SB_TAG_INLINE},
    {"rt", SB_TAG_INLINE},
    {"ruby", SB_TAG_INLINE},
    {"s", SB_TAG_INLINE},
    {"samp", SB_TAG_INLINE},
    {"score", SB_TAG_HIDDEN},
    {"section", SB_TAG_INLINE},
    {"small", SB_TAG_INLINE},
    {"source", SB_TAG_HIDDEN},
    {"span", SB_TAG_INLINE},
    {"strike", SB_TAG_INLINE},
    {"strong", SB_TAG_INLINE},
    {"sub", SB_TAG_INLINE},
    {"sup", SB_TAG_INLINE},
    {"syntaxhighlight", SB_TAG_HIDDEN},
    {"table", SB_TAG_TABLE},
    {"tbody", SB_TAG_INLINE},
    {"td", SB_TAG_BLOCK},
    {"templatedata", SB_TAG_HIDDEN},
    {"templatestyles", SB_TAG_HIDDEN},
    {"th", SB_TAG_BLOCK},
    {"thead", SB_TAG_INLINE},
    {"time", SB_TAG_INLINE},
    {"timeline", SB_TAG_HIDDEN},
    {"tr", SB_TAG_BLOCK},
    {"tt", SB_TAG_INLINE},
    {"u", SB_TAG_INLINE},
    {"ul", SB_TAG_BLOCK},
    {"var", SB_TAG_INLINE},
    {"wbr", SB_TAG_INLINE},
};
_Static_assert(sizeof tags / sizeof *tags <= SB_TAGS_MAX, "tags");

sb_wiki_tag sb_wiki_tag_of(const char *name, size_t n, unsigned *id_out)
{
    char key[WORD_MAX];
    if (!fold(name, n, key)) return SB_TAG_NONE;
    const char *const *row = FIND(key, tags);
    if (!row) return SB_TAG_NONE;
    size_t id = (size_t)((const char *)row - (const char *)tags) / sizeof *tags;
    *id_out = (unsigned)id;
    return tags[id].tag;
}

/* ---- templates ----------------------------------------------------------- */

/* Those that are often in the middle of a sentence. A template that is not
 * here is dropped: boxes, notes, references, and what has to be computed. */
enum { A1 = 1 << 1, A2 = 1 << 2, A3 = 1 << 3, A4 = 1 << 4, ALL = 0xfffe };

static const sb_wiki_template templates[] = {
    {"!", "|", 0, "", SB_PLAIN_ARGS},
    {"'", "'", 0, "", SB_PLAIN_ARGS},
    {"'s", "'s", 0, "", SB_PLAIN_ARGS},
    {"=", "=", 0, "", SB_PLAIN_ARGS},
    {"abbr", "", A1, "", SB_PLAIN_ARGS},
    {"angbr", "", A1, "", SB_PLAIN_ARGS},
    {"as of", "As of ", A1 | A2 | A3, "-", SB_PLAIN_ARGS},
    {"big", "", A1, "", SB_PLAIN_ARGS},
    {"blockquote", "", A1, "", SB_PLAIN_ARGS},
    {"bquote", "", A1, "", SB_PLAIN_ARGS},
    {"c.", "c. ", A1, "", SB_PLAIN_ARGS},
    {"chem", "", ALL, "", SB_PLAIN_ARGS},
    {"chem2", "", A1, "", SB_PLAIN_ARGS},
    {"circa", "c. ", A1, "", SB_PLAIN_ARGS},
    {"convert", "", A1 | A2, " ", SB_UNIT_ARGS},
    {"cquote", "", A1, "", SB_PLAIN_ARGS},
    {"cvt", "", A1 | A2, " ", SB_UNIT_ARGS},
    {"em", "", A1, "", SB_PLAIN_ARGS},
    {"em dash", "—", 0, "", SB_PLAIN_ARGS},
    {"en dash", "–", 0, "", SB_PLAIN_ARGS},
    {"euro", "€", A1, "", SB_PLAIN_ARGS},
    {"frac", "", A1 | A2 | A3, "/", SB_PLAIN_ARGS},
    {"fraction", "", A1 | A2 | A3, "/", SB_PLAIN_ARGS},
    {"gbp", "£", A1, "", SB_PLAIN_ARGS},
    {"hms", "HMS ", A1, "", SB_PLAIN_ARGS},
    {"ill", "", A1, "", SB_PLAIN_ARGS},
    {"interlanguage link", "", A1, "", SB_PLAIN_ARGS},
    {"ipa", "", A1, "", SB_LAST_ARG},
    {"ipablink", "", A1, "", SB_PLAIN_ARGS},
    {"ipalink", "", A1, "", SB_PLAIN_ARGS},
    {"ipaslink", "", A1, "", SB_PLAIN_ARGS},
    {"keypress", "", A1, "", SB_PLAIN_ARGS},
    {"lang", "", A2, "", SB_PLAIN_ARGS},
    {"linktext", "", ALL, "", SB_PLAIN_ARGS},
    {"mdash", "—", 0, "", SB_PLAIN_ARGS},
    {"middot", "·", 0, "", SB_PLAIN_ARGS},
    {"mvar", "", A1, "", SB_PLAIN_ARGS},
    {"nbsp", " ", 0, "", SB_PLAIN_ARGS},
    {"ndash", "–", 0, "", SB_PLAIN_ARGS},
    {"nihongo", "", A1, "", SB_PLAIN_ARGS},
    {"nobold", "", A1, "", SB_PLAIN_ARGS},
    {"nowrap", "", A1, "", SB_PLAIN_ARGS},
    {"nq", "", A1, "", SB_PLAIN_ARGS},
    {"pipe", "|", 0, "", SB_PLAIN_ARGS},
    {"poemquote", "", A1, "", SB_PLAIN_ARGS},
    {"quotation", "", A1, "", SB_PLAIN_ARGS},
    {"quote", "", A1, "", SB_PLAIN_ARGS},
    {"sc", "", A1, "", SB_PLAIN_ARGS},
    {"sic", "", A1 | A2, "", SB_PLAIN_ARGS},
    {"small", "", A1, "", SB_PLAIN_ARGS},
    {"smallcaps", "", A1, "", SB_PLAIN_ARGS},
    {"smaller", "", A1, "", SB_PLAIN_ARGS},
    {"snd", " – ", 0, "", SB_PLAIN_ARGS},
    {"space", " ", 0, "", SB_PLAIN_ARGS},
    {"spaced en dash", " – ", 0, "", SB_PLAIN_ARGS},
    {"spaced ndash", " – ", 0, "", SB_PLAIN_ARGS},
    {"spaces", " ", 0, "", SB_PLAIN_ARGS},
    {"spnd", " – ", 0, "", SB_PLAIN_ARGS},
    {"ss", "SS ", A1, "", SB_PLAIN_ARGS},
    {"strong", "", A1, "", SB_PLAIN_ARGS},
    {"sub", "", A1, "", SB_PLAIN_ARGS},
    {"sup", "", A1, "", SB_PLAIN_ARGS},
    {"tooltip", "", A1, "", SB_PLAIN_ARGS},
    {"transl", "", A2, "", SB_LAST_ARG},
    {"transliteration", "", A2, "", SB_LAST_ARG},
    {"us$", "US$", A1, "", SB_PLAIN_ARGS},
    {"uss", "USS ", A1, "", SB_PLAIN_ARGS},
    {"val", "", A1, "", SB_PLAIN_ARGS},
    {"vanchor", "", A1, "", SB_PLAIN_ARGS},
    {"visible anchor", "", A1, "", SB_PLAIN_ARGS},
    {"–", "–", 0, "", SB_PLAIN_ARGS},
    {"—", "—", 0, "", SB_PLAIN_ARGS},
};

/* {{lang-de|Wort}} */
static const sb_wiki_template any_lang = {"lang-", "", A1, "", SB_PLAIN_ARGS};

const sb_wiki_template *sb_wiki_template_of(const char *p, size_t n)
{
    char key[WORD_MAX];
    size_t k = 0;
    while (k < n && k < WORD_MAX && !memchr("|{}[]<\n", p[k], 7)) k++;
    if (!fold(p, k, key)) return NULL;
    if (!strncmp(key, "lang-", 5)) return &any_lang;
    return FIND(key, templates);
}

static const struct {
    const char *name, *text;
} units[] = {
    {"acre", "acres"},
    {"c", "°C"},
    {"cm", "centimetres"},
    {"f", "°F"},
    {"ft", "feet"},
    {"ha", "hectares"},
    {"in", "inches"},
    {"kg", "kilograms"},
    {"km", "kilometres"},
    {"km2", "square kilometres"},
    {"lb", "pounds"},
    {"m", "metres"},
    {"m2", "square metres"},
    {"mi", "miles"},
    {"mi2", "square miles"},
    {"mm", "millimetres"},
    {"nmi", "nautical miles"},
    {"sqft", "square feet"},
    {"sqkm", "square kilometres"},
    {"sqmi", "square miles"},
    {"yd", "yards"},
};

const char *sb_wiki_unit(const char *p, size_t n)
{
    char key[WORD_MAX];
    if (!fold(p, n, key)) return NULL;
    const char *const *row = FIND(key, units);
    return row ? row[1] : NULL;
}

static const char *const ranges[] = {
    "+/-", "-", "and", "and(-)", "by", "or", "to", "to(-)", "x", "±", "–",
};

int sb_wiki_is_range(const char *p, size_t n)
{
    char key[WORD_MAX];
    return fold(p, n, key) && FIND(key, ranges) != NULL;
}

/* ---- links --------------------------------------------------------------- */

static const struct {
    const char *name;
    sb_wiki_link link;
} namespaces[] = {
    {"archivo", SB_LINK_HIDDEN},       {"arquivo", SB_LINK_HIDDEN},
    {"bestand", SB_LINK_HIDDEN},       {"bild", SB_LINK_HIDDEN},
    {"book", SB_LINK_NAMED},           {"categoria", SB_LINK_HIDDEN},
    {"categorie", SB_LINK_HIDDEN},     {"category", SB_LINK_HIDDEN},
    {"categoría", SB_LINK_HIDDEN},     {"catégorie", SB_LINK_HIDDEN},
    {"datei", SB_LINK_HIDDEN},         {"draft", SB_LINK_NAMED},
    {"ficheiro", SB_LINK_HIDDEN},      {"fichier", SB_LINK_HIDDEN},
    {"file", SB_LINK_HIDDEN},          {"help", SB_LINK_NAMED},
    {"image", SB_LINK_HIDDEN},         {"imagem", SB_LINK_HIDDEN},
    {"imagen", SB_LINK_HIDDEN},        {"immagine", SB_LINK_HIDDEN},
    {"kategorie", SB_LINK_HIDDEN},     {"media", SB_LINK_HIDDEN},
    {"mediawiki", SB_LINK_NAMED},      {"module", SB_LINK_NAMED},
    {"portal", SB_LINK_NAMED},         {"project", SB_LINK_NAMED},
    {"special", SB_LINK_NAMED},        {"talk", SB_LINK_NAMED},
    {"template", SB_LINK_NAMED},       {"user", SB_LINK_NAMED},
    {"user talk", SB_LINK_NAMED},      {"wikipedia", SB_LINK_NAMED},
    {"wikipedia talk", SB_LINK_NAMED}, {"wp", SB_LINK_NAMED},
    {"Изображение", SB_LINK_HIDDEN},   {"Категория", SB_LINK_HIDDEN},
    {"Файл", SB_LINK_HIDDEN},
};

static const char *const others[] = {"doi", "hdl", "mw", "oeis", "rfc"};

/* "fr", "simple", "zh-min-nan": in lower case and no space behind the colon.
 * Some prefixes of other sites look like it. */
static int is_language(const char *p, size_t n)
{
    size_t k = 0;
    while (k < n && p[k] >= 'a' && p[k] <= 'z') k++;
    int simple = n == 6 && !memcmp(p, "simple", 6);
    if (!simple && (k < 2 || k > 3 || (k < n && p[k] != '-'))) return 0;
    for (size_t i = k; i < n; i++)
        if (p[i] != '-' && !(p[i] >= 'a' && p[i] <= 'z')) return 0;
    char key[WORD_MAX];
    return fold(p, n, key) && !FIND(key, others);
}

sb_wiki_link sb_wiki_link_of(const char *p, size_t n)
{
    char key[WORD_MAX];
    size_t k = 0;
    while (k < n && k < WORD_MAX && !memchr(":|[]{}\n", p[k], 7)) k++;
    if (!k || k >= n || p[k] != ':' || !fold(p, k, key)) return SB_LINK_TEXT;
    const void *row = FIND(key, namespaces);
    if (row) {
        sb_wiki_link link;
        memcpy(&link, (const char *)row + sizeof(char *), sizeof link);
        return link;
    }
    int apart = k + 1 < n && p[k + 1] == ' ';
    return !apart && is_language(p, k) ? SB_LINK_HIDDEN : SB_LINK_TEXT;
}

int sb_wiki_is_url(const char *p, size_t n)
{
    static const char *const protocols[] = {
        "//",      "http://", "https://", "ftp://",  "ftps://",
        "mailto:", "news:",   "irc://",   "ircs://", "gopher://",
        "tel:",    "sftp://", "git://",   "urn:",    "magnet:",
    };
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        size_t k = strlen(protocols[i]), j = 0;
        while (j < k && j < n &&
               (p[j] | (p[j] >= 'A' && p[j] <= 'Z' ? 32 : 0)) ==
                   protocols[i][j])
            j++;
        if (j == k) return 1;
    }
    return 0;
}

/* ---- headings ------------------------------------------------------------ */

static const char *const closing[] = {
    "anmerkungen",
    "annexes",
    "bibliografia",
    "bibliografía",
    "bibliographie",
    "bibliography",
    "citations",
    "einzelnachweise",
    "enlaces externos",
    "external link",
    "external links",
    "externe links",
    "footnotes",
    "further reading",
    "general references",
    "liens externes",
    "ligações externas",
    "links",
    "literatur",
    "note",
    "notes",
    "notes and references",
    "notes et références",
    "references",
    "references and notes",
    "referencias",
    "referenties",
    "referências",
    "ressources",
    "références",
    "see also",
    "siehe auch",
    "sources",
    "ver também",
    "voir aussi",
    "véase también",
    "weblinks",
    "works cited",
    "zie ook",
    "Литература",
    "Примечания",
    "См. также",
    "Ссылки",
};

int sb_wiki_is_closing(const char *heading, size_t n)
{
    char key[WORD_MAX];
    return fold(heading, n, key) && FIND(key, closing) != NULL;
}
