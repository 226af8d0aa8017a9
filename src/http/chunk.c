/*
 * Chunked bodies. Content is found in place and never copied; all around it
 * goes byte by byte through one automaton, so that it makes no difference how
 * the network cuts it. Everything that the grammar of RFC 9112 section 7.1
 * leaves to taste (blanks, endless zeros, bare LF) is refused.
 */
#include "http/chunk.h"

#include "base/panic.h"

#define EXTENSION_MAX 4096
#define TRAILER_MAX 8192
#define TRAILER_FIELDS_MAX 128
/* 64 bits; zeros in front count, or a size could go on for ever. */
#define DIGITS_MAX 16

enum chunk_state {
	SIZE,             /* digits */
	EXT_NAME,         /* after ";" */
	EXT_VALUE_FIRST,  /* after "=" */
	EXT_VALUE,
	EXT_QUOTED,
	EXT_ESCAPED,
	EXT_QUOTED_END,
	SIZE_LF,
	DATA,             /* `left` bytes of it, then CR */
	DATA_LF,
	TRAILER_FIRST,    /* a name, or the CR of the empty line */
	TRAILER_NAME,
	TRAILER_BLANK,    /* before the value */
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	OVER,
	BROKEN
};

void
chunk_decoder_init(struct chunk_decoder *d)
{
	memset(d, 0, sizeof *d);
	d->max_extension = EXTENSION_MAX;
	d->state = SIZE;
}

/* ---- sizes and extensions ---------------------------------------------- */

/* True: C was in its place. Every step says so. */
static bool
chunk_go(struct chunk_decoder *d, enum chunk_state next)
{
	d->state = next;
	return true;
}

/* The one way to end a line: CR here, its LF in the next state. */
static bool
chunk_end_line(struct chunk_decoder *d, char c, enum chunk_state next)
{
	return c == '\r' && chunk_go(d, next);
}

static bool
chunk_end_size(struct chunk_decoder *d, char c)
{
	if (c != ';')
		return chunk_end_line(d, c, SIZE_LF);
	d->name_n = 0;
	return chunk_go(d, EXT_NAME);
}

static bool
chunk_step_size(struct chunk_decoder *d, char c)
{
	int digit = chr_hex(c);

	if (digit < 0)
		return d->digits > 0 && chunk_end_size(d, c);
	/* Lengths are signed elsewhere: the last bit is not to be had. */
	if (d->digits == DIGITS_MAX || d->left > INT64_MAX >> 4)
		return false;
	d->digits++;
	d->left = d->left << 4 | (unsigned)digit;
	return true;
}

/* Extensions are checked and forgotten (RFC 9112 section 7.1.1). No blanks:
 * the grammar calls them bad, and nobody sends them but to find a gap. */
static bool
chunk_step_extension(struct chunk_decoder *d, char c)
{
	bool is_token = field_char_is(c, FIELD_CHAR_TOKEN);

	if (++d->extension > d->max_extension)
		return false;
	switch ((enum chunk_state)d->state) {
	case EXT_NAME:
		if (is_token) {
			d->name_n = 1; /* it has one */
			return true;
		}
		if (d->name_n == 0)
			return false;
		return c == '=' ? chunk_go(d, EXT_VALUE_FIRST) :
		    chunk_end_size(d, c);
	case EXT_VALUE_FIRST:
		return c == '"' ? chunk_go(d, EXT_QUOTED) :
		    is_token && chunk_go(d, EXT_VALUE);
	case EXT_VALUE:
		return is_token || chunk_end_size(d, c);
	case EXT_QUOTED:
		if (c == '"')
			return chunk_go(d, EXT_QUOTED_END);
		if (c == '\\')
			return chunk_go(d, EXT_ESCAPED);
		return field_char_is(c, FIELD_CHAR_VALUE);
	case EXT_ESCAPED:
		return field_char_is(c, FIELD_CHAR_VALUE) &&
		    chunk_go(d, EXT_QUOTED);
	case EXT_QUOTED_END:
		return chunk_end_size(d, c);
	case SIZE: case SIZE_LF: case DATA: case DATA_LF: case TRAILER_FIRST:
	case TRAILER_NAME: case TRAILER_BLANK: case TRAILER_VALUE:
	case TRAILER_LF: case LAST_LF: case OVER: case BROKEN:
		break;
	}
	UNREACHABLE();
}

/* ---- trailers ---------------------------------------------------------- */

/*
 * RFC 9110 section 6.5.1: what frames or routes a message or says who sends it
 * has been acted upon long before a trailer comes. One that names it anew is
 * meant for somebody who reads differently.
 */
bool
chunk_may_trail(struct str name)
{
	enum field_id id = field_lookup(name);

	return (field_flags(id) & (FIELD_HOP | FIELD_FRAMING)) == 0 &&
	    id != FIELD_HOST && id != FIELD_EXPECT &&
	    id != FIELD_AUTHORIZATION && id != FIELD_COOKIE &&
	    id != FIELD_SET_COOKIE && id != FIELD_FORWARDED &&
	    id != FIELD_X_FORWARDED_FOR && id != FIELD_X_FORWARDED_HOST &&
	    id != FIELD_X_FORWARDED_PORT && id != FIELD_X_FORWARDED_PROTO &&
	    id != FIELD_X_REAL_IP;
}

static void
chunk_keep(struct chunk_decoder *d, char c, const struct head *trailers)
{
	if (trailers == NULL)
		return;
	if (d->text.arena == NULL)
		d->text = buf_in(trailers->arena);
	buf_chr(&d->text, c);
}

static bool
chunk_begin_trailer(struct chunk_decoder *d)
{
	d->name_n = 0;
	d->name_at = (uint32_t)d->text.n;
	return chunk_go(d, TRAILER_NAME);
}

static bool
chunk_step_name(struct chunk_decoder *d, char c, const struct head *trailers)
{
	if (field_char_is(c, FIELD_CHAR_TOKEN)) {
		/* One that does not fit is longer than all that we know. */
		if (d->name_n < sizeof d->name)
			d->name[d->name_n++] = c;
		chunk_keep(d, c, trailers);
		return true;
	}
	if (c != ':' || d->name_n == 0 ||
	    !chunk_may_trail(str_of(d->name, d->name_n)))
		return false;
	d->value_at = (uint32_t)d->text.n;
	return chunk_go(d, TRAILER_BLANK);
}

/* The text may have moved while it grew; what points to where it was still
 * points to the same bytes, for an arena keeps them. */
static bool
chunk_add_trailer(struct chunk_decoder *d, struct head *trailers)
{
	struct str text = buf_view(&d->text), name, value;

	if (trailers == NULL)
		return true;
	if (trailers->n >= TRAILER_FIELDS_MAX)
		return false;
	name = str_slice(text, d->name_at, d->value_at);
	value = str_trim(str_slice(text, d->value_at, text.n));
	head_add(trailers, field_lookup(name), name, value);
	return true;
}

static bool
chunk_step_trailer(struct chunk_decoder *d, char c, struct head *trailers)
{
	if (++d->trailer > TRAILER_MAX)
		return false;
	switch ((enum chunk_state)d->state) {
	case TRAILER_FIRST:
		if (c == '\r')
			return chunk_go(d, LAST_LF);
		chunk_begin_trailer(d);
		return chunk_step_name(d, c, trailers);
	case TRAILER_NAME:
		return chunk_step_name(d, c, trailers);
	case TRAILER_BLANK:
		if (c == ' ' || c == '\t')
			return true;
		d->state = TRAILER_VALUE;
		/* fallthrough */
	case TRAILER_VALUE:
		if (!field_char_is(c, FIELD_CHAR_VALUE))
			return chunk_end_line(d, c, TRAILER_LF);
		chunk_keep(d, c, trailers);
		return true;
	case TRAILER_LF:
		return c == '\n' && chunk_add_trailer(d, trailers) &&
		    chunk_go(d, TRAILER_FIRST);
	case LAST_LF:
		return c == '\n' && chunk_go(d, OVER);
	case SIZE: case EXT_NAME: case EXT_VALUE_FIRST: case EXT_VALUE:
	case EXT_QUOTED: case EXT_ESCAPED: case EXT_QUOTED_END: case SIZE_LF:
	case DATA: case DATA_LF: case OVER: case BROKEN:
		break;
	}
	UNREACHABLE();
}

/* ---- the whole --------------------------------------------------------- */

static bool
chunk_step(struct chunk_decoder *d, char c, struct head *trailers)
{
	switch ((enum chunk_state)d->state) {
	case SIZE:
		return chunk_step_size(d, c);
	case SIZE_LF:
		d->digits = 0;
		return c == '\n' &&
		    chunk_go(d, d->left > 0 ? DATA : TRAILER_FIRST);
	case DATA:
		return chunk_end_line(d, c, DATA_LF);
	case DATA_LF:
		return c == '\n' && chunk_go(d, SIZE);
	case EXT_NAME: case EXT_VALUE_FIRST: case EXT_VALUE: case EXT_QUOTED:
	case EXT_ESCAPED: case EXT_QUOTED_END:
		return chunk_step_extension(d, c);
	case TRAILER_FIRST: case TRAILER_NAME: case TRAILER_BLANK:
	case TRAILER_VALUE: case TRAILER_LF: case LAST_LF:
		return chunk_step_trailer(d, c, trailers);
	case OVER: case BROKEN:
		return false;
	}
	UNREACHABLE();
}

enum chunk_status
chunk_decode(struct chunk_decoder *d, const char *p, size_t n, size_t *used,
    struct str *data, struct head *trailers)
{
	size_t i = 0;

	while (i < n) {
		if (d->state == DATA && d->left > 0) {
			size_t some = n - i < d->left ? n - i :
			    (size_t)d->left;

			d->left -= some;
			*data = str_of(p + i, some);
			*used = i + some;
			return CHUNK_DATA;
		}
		if (!chunk_step(d, p[i++], trailers)) {
			*used = i;
			d->state = BROKEN;
			return CHUNK_BAD;
		}
		if (d->state == OVER) {
			*used = i;
			return CHUNK_END;
		}
	}
	*used = n;
	return CHUNK_MORE;
}

bool
chunk_is_overextended(const struct chunk_decoder *d)
{
	return d->state == BROKEN && d->extension > d->max_extension;
}

void
chunk_decoder_untake(struct chunk_decoder *d, size_t n)
{
	/* DATA is left only with the next byte, so it still stands. */
	ASSERT(n == 0 || d->state == DATA);
	d->left += n;
}

size_t
chunk_format_size(char out[18], uint64_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 1;

	while (n < 16 && size >> (4 * n) != 0)
		n++;
	for (size_t i = n; i-- > 0; size >>= 4)
		out[i] = digits[size & 15];
	out[n] = '\r';
	out[n + 1] = '\n';
	return n + 2;
}
