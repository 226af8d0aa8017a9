/*
 * Content codings (RFC 9110 section 8.4.1): their names, and which one a client
 * gets by its Accept-Encoding (section 12.5.3).
 */
#ifndef HTTP_CODING_H
#define HTTP_CODING_H

#include "conf/schema.h"
#include "http/head.h"

/* gzip: RFC 1952. br: RFC 7932. zstd: RFC 8878. */
enum coding { CODING_IDENTITY, CODING_GZIP, CODING_BR, CODING_ZSTD };
#define CODING_COUNT 4

/* As the field has it: "gzip". */
struct str coding_name(enum coding c);
/* In any case, and "x-gzip" for gzip. False: none of ours. */
bool coding_find(struct str name, enum coding *out);

/* A scalar that is a coding other than identity; the member is int. */
extern const struct conf_type conf_type_coding;

/*
 * The one of N codings OFFERED, best first, that REQUEST wants most; of those
 * it wants alike the first. IDENTITY where it wants none of them more than
 * that, also where it excludes everything: it is answered in any case.
 */
enum coding coding_choose(const struct head *request, const int *offered,
    size_t n);
/* Whether REQUEST says that it reads C. */
bool coding_is_accepted(const struct head *request, enum coding c);

/* Whether RESPONSE lets others change its coding: not with no-transform (RFC
 * 9110 section 7.7). */
bool coding_may_change(const struct head *response);
/* Says in Vary that a response depends on Accept-Encoding. */
void coding_vary(struct head *response);
/* The body of RESPONSE becomes another in its bytes, not in its meaning: its
 * ETag turns weak, what counts or digests bytes goes. */
void coding_changes(struct head *response);

#endif
