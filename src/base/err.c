/* Sentences for what the world refused. */
#include "base/err.h"

#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool
err_set(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return false;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return false;
}

bool
err_sys(struct err *e, const char *fmt, ...)
{
	int code = errno;
	char words[128];
	size_t n;
	va_list ap;

	if (e == NULL)
		return false;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	snprintf(words, sizeof words, "%s", strerror(code));
	words[0] = chr_lower(words[0]);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof e->text - n, ": %s", words);
	errno = code;
	return false;
}

bool
err_wrap(struct err *e, const char *fmt, ...)
{
	struct err inner;
	size_t n;
	va_list ap;

	if (e == NULL)
		return false;
	inner = *e;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof e->text - n, ": %s", inner.text);
	return false;
}
