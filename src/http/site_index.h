/* The sites of one address by host name. */
#ifndef HTTP_SITE_INDEX_H
#define HTTP_SITE_INDEX_H

#include "http/site.h"

/* The sites of one address: struct endpoint's owner. */
struct site_index;
/* Reports a second default and a host that two sites have; warns of a host
 * that an earlier regular expression hides. Lives in the load's arena. */
struct site_index *site_index_compile(struct conf_load *load,
    const struct site *const *sites, size_t n);
/* HOST is lower case. NULL: nobody has that name here and none is default. */
const struct site *site_index_find(const struct site_index *x,
    struct str host);
/* The site whose limits hold until a host is known: the default, else the
 * first. Never NULL. */
const struct site *site_index_first(const struct site_index *x);

#endif
