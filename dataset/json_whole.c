/* SPDX-License-Identifier: MIT
 * json_whole.c - json-c, made strict. */
#include "dataset/json_whole.h"

#include <limits.h>
#include <string.h>

#include "dataset/json_parts.h"

sb_status sb_json_whole(const char *text, size_t n, int depth, const char *what,
                        const char *name, json_object **root_out)
{
    SB_REQUIRE(n < INT_MAX, SB_ELIMIT, "%s '%s' is larger than 2 GiB", what,
               name);
    SB_REQUIRE(n && *text == '{', SB_EFORMAT,
               "%s '%s', byte 0: not JSON: no object", what, name);
    SB_REQUIRE(!sb_json_is_bomb(text, n), SB_EFORMAT,
               "%s '%s' is more brackets than content", what, name);
    json_tokener *t = json_tokener_new_ex(depth);
    SB_REQUIRE(t, SB_ENOMEM, "out of memory: a %s", what);
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *root = NULL;
    sb_status st = sb_json_run(t, text, n, what, &root);
    enum json_tokener_error e = json_tokener_get_error(t);
    size_t at = json_tokener_get_parse_end(t);
    json_tokener_free(t);
    /* json-c ends a key at an escaped NUL, and a text at a plain one */
    int whole = e == json_tokener_success && !memchr(text, 0, n) &&
                !strstr(text, "\\u0000");
    if (st == SB_OK && whole) {
        *root_out = root;
        return SB_OK;
    }
    json_object_put(root);
    SB_TRY(st);
    SB_FAIL(SB_EFORMAT, "%s '%s', byte %zu: not JSON: %s", what, name, at,
            e == json_tokener_success    ? "a NUL"
            : e == json_tokener_continue ? "it ends early"
                                         : json_tokener_error_desc(e));
}

json_object *sb_json_get(json_object *o, const char *key)
{
    json_object *value = NULL;
    if (json_object_is_type(o, json_type_object))
        json_object_object_get_ex(o, key, &value);
    return value;
}

int sb_json_is_text(json_object *o, const char *key, const char *want)
{
    json_object *s = sb_json_get(o, key);
    return json_object_is_type(s, json_type_string) &&
           strcmp(json_object_get_string(s), want) == 0;
}

int sb_json_is_number(json_object *o, const char *key, int64_t want)
{
    json_object *s = sb_json_get(o, key);
    return json_object_is_type(s, json_type_int) &&
           json_object_get_int64(s) == want;
}

int sb_json_is_bool(json_object *o, const char *key, int want)
{
    json_object *s = sb_json_get(o, key);
    return json_object_is_type(s, json_type_boolean) &&
           json_object_get_boolean(s) == want;
}
