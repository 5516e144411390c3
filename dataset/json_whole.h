/* SPDX-License-Identifier: MIT
 * json_whole.h - a JSON file in memory as a tree, for the small ones. Private
 * to dataset/. */
#ifndef SB_DATASET_JSON_WHOLE_H
#define SB_DATASET_JSON_WHOLE_H

#include <json-c/json.h>

#include "comm/base/status.h"

/* The tree of text[0..n), an object, with a NUL behind it (sb_file_read puts
 * one), at most `depth` deep; json_object_put. `what` and `name` are used in
 * messages: "tokenizer 'x.json', byte 7: not JSON: ...", SB_EFORMAT. Of equal
 * keys the last one counts. */
SB_MUST_USE sb_status sb_json_whole(const char *text, size_t n, int depth,
                                    const char *what, const char *name,
                                    json_object **root_out);

/* A member of an object. NULL: not there, null, or `o` is no object. */
json_object *sb_json_get(json_object *o, const char *key);

/* The member is this text; this whole number; true or false as wanted. */
int sb_json_is_text(json_object *o, const char *key, const char *want);
int sb_json_is_number(json_object *o, const char *key, int64_t want);
int sb_json_is_bool(json_object *o, const char *key, int want);

#endif
