/* UTF-8, for those who show what others wrote. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/str.h"

/* The bytes of the character that S begins with; 0: it does not begin with
 * one, or is empty. */
size_t utf8_char(struct str s);
bool utf8_is_valid(struct str s);

#endif
