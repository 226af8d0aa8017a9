/*
 * Why the world refused: one sentence without a full stop. The function that
 * fails fills it, the function that decides logs it, those between may wrap it:
 * "listen 0.0.0.0:80: cannot bind: address already in use".
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/compiler.h"

#include <stdbool.h>

struct err {
	char text[512];
};

/* Always returns false, so that `return err_set(e, ...)` is the idiom.
 * E may be NULL. */
bool err_set(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Appends ": " and the words of errno (lower case first letter). */
bool err_sys(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Puts a prefix and ": " before what is there; returns false. */
bool err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
