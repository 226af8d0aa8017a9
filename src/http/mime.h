/* Media types of files, by the extension of their name. */
#ifndef HTTP_MIME_H
#define HTTP_MIME_H

#include "base/arena.h"
#include "base/str.h"

struct mime_types;

/* The built-in table with nothing changed; files of unknown extension are of
 * type DFLT. Lives in A. */
struct mime_types *mime_types_new(struct arena *a, struct str dflt);
/* Files that end in EXT (no dot; case does not count) are of TYPE, which gets
 * "; charset=utf-8" if it is a textual one without parameters. */
void mime_types_set(struct mime_types *m, struct str ext, struct str type);
/* The type of the file that PATH names, ready for Content-Type. */
struct str mime_type_of(const struct mime_types *m, struct str path);

/* Whether S reads "type/subtype" with optional parameters. */
bool mime_is_valid(struct str s);

#endif
