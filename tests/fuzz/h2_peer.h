/*
 * A peer of HTTP/2 on a socket of the mock network: a client of the server, or
 * a server that it dialled. It says frames that are as wrong as the driver
 * wants them to be, and reads again, strictly and from the beginning, all that
 * is said to it. What must hold of that, whatever it said itself:
 *
 *  - frames are of known kinds, no larger than allowed, with HPACK that can be
 *    unpacked and heads as RFC 9113 section 8 has them;
 *  - DATA keeps within the windows of the stream and of the connection, and
 *    within the length that was promised;
 *  - nothing is said on a stream that was not begun, or after its end;
 *  - each SETTINGS and each PING is acknowledged at most once.
 */
#ifndef TESTS_FUZZ_H2_PEER_H
#define TESTS_FUZZ_H2_PEER_H

#include "mock_tls.h"

#include "http/field.h"
#include "http/h2.h"

#include <nghttp2/nghttp2.h>

#define H2_PEER_STREAMS 256 /* that are looked at; others have higher numbers */
#define H2_PEER_BLOCK 65536 /* of a head */

enum { H2_END_STREAM = 1, H2_ACK = 1, H2_END_HEADERS = 4, H2_PADDED = 8,
	H2_PRIORITY_FLAG = 32 };

struct h2_frame {
	uint8_t type, flags;
	int32_t id;
	struct str payload;
};

struct h2_peer_stream {
	/* What the peer said. */
	bool said_head, said_end, said_reset;
	uint64_t said; /* bytes of DATA, without padding */
	int64_t granted; /* by WINDOW_UPDATE */
	bool is_known; /* it began with a head that the driver made */
	bool is_head;  /* a request of HEAD */
	/* What it heard. */
	bool has_head, has_end, has_reset, is_ours; /* a body of the pattern */
	int64_t length; /* that was promised; -1: none */
	uint64_t got;   /* bytes of DATA */
	struct str mark; /* x-id of the head */
};

struct h2_peer {
	struct mock_socket *s; /* NULL: nobody yet */
	bool is_server;
	nghttp2_hd_deflater *deflater;
	nghttp2_hd_inflater *inflater;
	size_t said_at, heard_at; /* what was read of both directions */
	bool is_lost; /* what it said is not to be read as frames */
	int32_t last; /* stream that it began, or heard of */
	/* The most it allows, ever; what it allows later may be less. */
	int64_t window, granted;
	uint32_t max_frame;
	uint64_t got;
	unsigned settings, pings, acks, pongs, heads;
	struct buf tables; /* uint32_t for each SETTINGS: of HPACK's table */
	struct buf block;  /* of a head that is not whole */
	struct h2_frame head;
	bool in_block, has_hello;
	int32_t goaway;
	struct h2_peer_stream streams[H2_PEER_STREAMS];
};

static struct h2_peer h2_peers[MOCK_SOCKETS];
/* An upstream said bytes as they were in the input: its bodies are no pattern. */
static bool h2_peer_is_wild;

static struct h2_peer *
h2_peer_of(struct mock_socket *s)
{
	struct h2_peer *p = &h2_peers[s - mock.sockets];

	if (p->s != NULL)
		return p;
	memset(p, 0, sizeof *p);
	p->s = s;
	p->is_server = s->is_dialled;
	ASSERT(nghttp2_hd_deflate_new(&p->deflater, 4096) == 0);
	ASSERT(nghttp2_hd_inflate_new(&p->inflater) == 0);
	p->window = p->granted = 65535;
	p->max_frame = 16384;
	p->goaway = INT32_MAX;
	p->tables = buf_in(mock.arena);
	p->block = buf_in(mock.arena);
	return p;
}

static void
h2_peer_free_all(void)
{
	for (unsigned i = 0; i < MOCK_SOCKETS; i++) {
		if (h2_peers[i].s == NULL)
			continue;
		nghttp2_hd_deflate_del(h2_peers[i].deflater);
		nghttp2_hd_inflate_del(h2_peers[i].inflater);
		h2_peers[i].s = NULL;
	}
}

/* NULL: too many, or none that can be. */
static struct h2_peer_stream *
h2_peer_stream(struct h2_peer *p, int32_t id)
{
	return id > 0 && id % 2 != 0 && id / 2 < H2_PEER_STREAMS ?
	    &p->streams[id / 2] : NULL;
}

static uint32_t
h2_peer_u32(struct str s, size_t at)
{
	const unsigned char *p = (const unsigned char *)s.p + at;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* The next frame of ALL; false: it is not whole. */
static bool
h2_peer_next(struct str all, size_t *at, struct h2_frame *f)
{
	size_t n;

	if (all.n - *at < 9)
		return false;
	n = h2_peer_u32(all, *at) >> 8;
	if (all.n - *at - 9 < n)
		return false;
	f->type = (uint8_t)all.p[*at + 3];
	f->flags = (uint8_t)all.p[*at + 4];
	f->id = (int32_t)(h2_peer_u32(all, *at + 5) & INT32_MAX);
	f->payload = str_slice(all, *at + 9, *at + 9 + n);
	*at += 9 + n;
	return true;
}

/* ---- what it said ------------------------------------------------------ */

static void
h2_peer_note_settings(struct h2_peer *p, const struct h2_frame *f)
{
	uint32_t table = p->tables.n > 0 ? UINT32_MAX : 4096;

	if ((f->flags & H2_ACK) != 0)
		return;
	for (size_t i = 0; i + 6 <= f->payload.n; i += 6) {
		uint32_t value = h2_peer_u32(f->payload, i + 2);

		switch (h2_peer_u32(f->payload, i) >> 16) {
		case NGHTTP2_SETTINGS_HEADER_TABLE_SIZE:
			table = value;
			break;
		case NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE:
			if (value > p->window)
				p->window = value;
			break;
		case NGHTTP2_SETTINGS_MAX_FRAME_SIZE:
			if (value > p->max_frame)
				p->max_frame = value;
			break;
		}
	}
	p->settings++;
	buf_put(&p->tables, &table, sizeof table);
}

static size_t
h2_peer_content(const struct h2_frame *f)
{
	size_t n = f->payload.n, padding = 0;

	if ((f->flags & H2_PADDED) != 0 && n > 0)
		padding = 1u + (unsigned char)f->payload.p[0];
	return n > padding ? n - padding : 0;
}

static void
h2_peer_note_stream(struct h2_peer *p, const struct h2_frame *f)
{
	struct h2_peer_stream *s = h2_peer_stream(p, f->id);

	if (s == NULL)
		return;
	switch (f->type) {
	case NGHTTP2_HEADERS:
		s->said_head = true;
		break;
	case NGHTTP2_DATA:
		if (!s->said_end) /* what follows is nobody's */
			s->said += h2_peer_content(f);
		break;
	case NGHTTP2_RST_STREAM:
		s->said_reset = true;
		break;
	case NGHTTP2_WINDOW_UPDATE:
		if (f->payload.n == 4)
			s->granted += h2_peer_u32(f->payload, 0) & INT32_MAX;
		break;
	}
	if (f->type <= NGHTTP2_HEADERS && (f->flags & H2_END_STREAM) != 0)
		s->said_end = true;
}

/* More may be found than was meant: what is read here allows, no more. */
static void
h2_peer_read_said(struct h2_peer *p)
{
	const struct buf *b = p->s->tls != NULL ? &p->s->tls->said : &p->s->in;
	struct str all = buf_view(b);
	struct h2_frame f;

	if (!p->is_server && p->said_at == 0) {
		if (all.n < H2_PREFACE.n)
			return;
		p->is_lost = !str_has_prefix(all, H2_PREFACE);
		p->said_at = H2_PREFACE.n;
	}
	while (!p->is_lost && h2_peer_next(all, &p->said_at, &f)) {
		if (f.type == NGHTTP2_SETTINGS)
			h2_peer_note_settings(p, &f);
		else if (f.type == NGHTTP2_PING && (f.flags & H2_ACK) == 0)
			p->pings++;
		else if (f.type == NGHTTP2_WINDOW_UPDATE && f.id == 0 &&
		    f.payload.n == 4)
			p->granted += h2_peer_u32(f.payload, 0) & INT32_MAX;
		p->heads += f.type == NGHTTP2_HEADERS;
		h2_peer_note_stream(p, &f);
	}
}

/* ---- what it hears: heads ---------------------------------------------- */

struct h2_peer_head {
	int status;
	unsigned pseudo, fields;
	bool is_head;
	int64_t length;
	bool is_ours;
	struct str mark;
};

static void
h2_peer_check_pseudo(struct h2_peer *p, struct h2_peer_head *h,
    struct str name, struct str value)
{
	static const struct str of_requests[] = {
		STR_INIT(":method"), STR_INIT(":scheme"),
		STR_INIT(":authority"), STR_INIT(":path")
	};
	unsigned bit = 0;

	ASSERT(h->fields == 0);
	if (!p->is_server) {
		ASSERT(str_eq(name, STR(":status")) && h->pseudo == 0);
		ASSERT(value.n == 3);
		h->status = (value.p[0] - '0') * 100 +
		    (value.p[1] - '0') * 10 + value.p[2] - '0';
		ASSERT(h->status >= 100 && h->status != 101);
		h->pseudo = 1;
		return;
	}
	for (unsigned i = 0; i < COUNT_OF(of_requests); i++)
		if (str_eq(name, of_requests[i]))
			bit = 1u << i;
	ASSERT(bit != 0 && (h->pseudo & bit) == 0 && value.n > 0);
	h->pseudo |= bit;
	if (bit == 1)
		h->is_head = str_eq(value, STR("HEAD"));
}

static void
h2_peer_check_field(struct h2_peer *p, struct h2_peer_head *h,
    struct str name, struct str value)
{
	enum field_id id = field_lookup(name);
	uint64_t length;

	h->fields++;
	ASSERT(field_token_is_valid(name) && field_value_is_valid(value));
	for (size_t i = 0; i < name.n; i++)
		ASSERT(name.p[i] < 'A' || name.p[i] > 'Z');
	/* RFC 9113 section 8.2.2 */
	ASSERT(id != FIELD_CONNECTION && id != FIELD_TRANSFER_ENCODING &&
	    id != FIELD_UPGRADE && id != FIELD_KEEP_ALIVE &&
	    id != FIELD_PROXY_CONNECTION);
	if (id == FIELD_TE)
		ASSERT(p->is_server && str_eq(value, STR("trailers")));
	if (id == FIELD_CONTENT_LENGTH) {
		ASSERT(h->length < 0 && str_to_u64(value, &length) &&
		    length <= INT64_MAX);
		h->length = (int64_t)length;
	}
	if (str_eq(name, STR("x-up")))
		h->is_ours = true;
	if (str_eq(name, STR("x-id")))
		h->mark = arena_str(mock.arena, value);
}

static void
h2_peer_unpack(struct h2_peer *p, struct h2_peer_head *h)
{
	const uint8_t *in = (const uint8_t *)p->block.p;
	size_t n = p->block.n;

	*h = (struct h2_peer_head){ .length = -1 };
	for (;;) {
		int flags = 0;
		nghttp2_nv nv;
		ssize_t took = nghttp2_hd_inflate_hd2(p->inflater, &nv, &flags,
		    in, n, 1);
		struct str name, value;

		ASSERT(took >= 0);
		in += took;
		n -= (size_t)took;
		if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
			break;
		ASSERT((flags & NGHTTP2_HD_INFLATE_EMIT) != 0);
		name = str_of((const char *)nv.name, nv.namelen);
		value = str_of((const char *)nv.value, nv.valuelen);
		if (name.n > 0 && name.p[0] == ':')
			h2_peer_check_pseudo(p, h, name, value);
		else
			h2_peer_check_field(p, h, name, value);
	}
	ASSERT(n == 0);
	nghttp2_hd_inflate_end_headers(p->inflater);
}

static void
h2_peer_hear_head(struct h2_peer *p)
{
	bool is_end = (p->head.flags & H2_END_STREAM) != 0;
	struct h2_peer_stream *s = h2_peer_stream(p, p->head.id);
	struct h2_peer_head h;

	h2_peer_unpack(p, &h);
	p->in_block = false;
	p->block.n = 0;
	if (s == NULL)
		return;
	ASSERT(!s->has_end && !s->has_reset);
	if (s->has_head) {
		ASSERT(is_end && h.pseudo == 0); /* trailers */
		s->has_end = true;
		return;
	}
	ASSERT(p->is_server ? h.pseudo == 15 : h.pseudo == 1);
	if (h.status >= 100 && h.status < 200) {
		ASSERT(!is_end && h.length < 0);
		return;
	}
	s->has_head = true;
	s->has_end = is_end;
	s->length = h.length;
	s->mark = h.mark;
	s->is_ours = h.is_ours;
	if (p->is_server) {
		s->is_head = h.is_head;
		ASSERT(p->head.id > p->last);
		p->last = p->head.id;
	} else {
		ASSERT(h.length < 0 || (h.status != 204));
		if (s->is_head || !s->is_known || h.status == 304)
			s->length = -1;
	}
	ASSERT(!is_end || s->length <= 0);
}

/* ---- what it hears: frames --------------------------------------------- */

static void
h2_peer_hear_headers(struct h2_peer *p, const struct h2_frame *f)
{
	const struct h2_peer_stream *s = h2_peer_stream(p, f->id);

	ASSERT(f->id % 2 != 0);
	ASSERT((f->flags & (H2_PADDED | H2_PRIORITY_FLAG)) == 0);
	/* Only what the client has begun is answered. */
	ASSERT(p->is_server || s == NULL || s->said_head);
	p->head = *f;
	p->in_block = true;
	buf_str(&p->block, f->payload);
}

/* The body of an upstream is a pattern, whose beginning must arrive. */
static void
h2_peer_check_pattern(const struct h2_peer_stream *s, struct str data)
{
	for (size_t i = 0; i < data.n; i++)
		ASSERT((unsigned char)data.p[i] ==
		    (unsigned char)('0' + (s->got + i) % 67));
}

static void
h2_peer_hear_data(struct h2_peer *p, const struct h2_frame *f)
{
	struct h2_peer_stream *s = h2_peer_stream(p, f->id);

	ASSERT(f->id % 2 != 0 && (f->flags & H2_PADDED) == 0);
	p->got += f->payload.n;
	ASSERT((int64_t)p->got <= p->granted);
	if (s == NULL)
		return;
	ASSERT(s->has_head && !s->has_end && !s->has_reset);
	if (s->is_ours && !h2_peer_is_wild)
		h2_peer_check_pattern(s, f->payload);
	s->got += f->payload.n;
	ASSERT((int64_t)s->got <= p->window + s->granted);
	ASSERT(s->length < 0 || (int64_t)s->got <= s->length);
	if ((f->flags & H2_END_STREAM) == 0)
		return;
	s->has_end = true;
	ASSERT(s->length < 0 || (int64_t)s->got == s->length);
}

static void
h2_peer_hear_settings(struct h2_peer *p, const struct h2_frame *f)
{
	uint32_t table;

	ASSERT(f->id == 0 && f->payload.n % 6 == 0);
	p->has_hello = true;
	if ((f->flags & H2_ACK) == 0)
		return;
	ASSERT(f->payload.n == 0 && p->acks < p->settings);
	memcpy(&table, p->tables.p + p->acks++ * sizeof table, sizeof table);
	/* Beyond what nghttp2 would use there is nothing to allow. */
	if (table != UINT32_MAX)
		ASSERT(nghttp2_hd_inflate_change_table_size(p->inflater,
		    table < 65536 ? table : 65536) == 0);
}

static void
h2_peer_hear_goaway(struct h2_peer *p, const struct h2_frame *f)
{
	int32_t last = (int32_t)(h2_peer_u32(f->payload, 0) & INT32_MAX);

	ASSERT(f->id == 0 && f->payload.n >= 8 && last <= p->goaway);
	p->goaway = last;
}

static void
h2_peer_hear_frame(struct h2_peer *p, const struct h2_frame *f)
{
	struct h2_peer_stream *s = h2_peer_stream(p, f->id);

	ASSERT(f->payload.n <= p->max_frame);
	ASSERT(p->has_hello || f->type == NGHTTP2_SETTINGS);
	ASSERT(p->in_block == (f->type == NGHTTP2_CONTINUATION));
	switch (f->type) {
	case NGHTTP2_DATA:
		h2_peer_hear_data(p, f);
		break;
	case NGHTTP2_HEADERS:
		h2_peer_hear_headers(p, f);
		break;
	case NGHTTP2_CONTINUATION:
		ASSERT(f->id == p->head.id);
		buf_str(&p->block, f->payload);
		break;
	case NGHTTP2_RST_STREAM:
		ASSERT(f->id > 0 && f->payload.n == 4);
		if (s != NULL)
			s->has_reset = true;
		break;
	case NGHTTP2_SETTINGS:
		h2_peer_hear_settings(p, f);
		break;
	case NGHTTP2_PING:
		ASSERT(f->id == 0 && f->payload.n == 8);
		if ((f->flags & H2_ACK) != 0)
			ASSERT(p->pongs++ < p->pings);
		break;
	case NGHTTP2_GOAWAY:
		h2_peer_hear_goaway(p, f);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		ASSERT(f->payload.n == 4 && h2_peer_u32(f->payload, 0) > 0);
		break;
	default:
		UNREACHABLE();
	}
	if (p->in_block && (f->flags & H2_END_HEADERS) != 0)
		h2_peer_hear_head(p);
}

/* All that came; it allows what was said until then. */
static void
h2_peer_hear(struct h2_peer *p)
{
	const struct buf *b = p->s->tls != NULL ? &p->s->tls->heard :
	    &p->s->out;
	struct str all = buf_view(b);
	struct h2_frame f;

	h2_peer_read_said(p);
	/* Who did not begin as HTTP/2 is answered otherwise. */
	if (p->is_lost || (!p->is_server && p->said_at == 0))
		return;
	if (p->is_server && p->heard_at == 0) {
		if (all.n < H2_PREFACE.n)
			return;
		ASSERT(str_has_prefix(all, H2_PREFACE));
		p->heard_at = H2_PREFACE.n;
	}
	while (h2_peer_next(all, &p->heard_at, &f))
		h2_peer_hear_frame(p, &f);
}

/* ---- saying ------------------------------------------------------------ */

static void
h2_peer_say(struct h2_peer *p, uint8_t type, uint8_t flags, uint32_t id,
    struct str payload)
{
	const uint8_t head[9] = {
		(uint8_t)(payload.n >> 16), (uint8_t)(payload.n >> 8),
		(uint8_t)payload.n, type, flags, (uint8_t)(id >> 24),
		(uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id
	};

	fuzz_say(p->s, head, sizeof head);
	if (payload.n > 0)
		fuzz_say(p->s, payload.p, payload.n);
}

static void
h2_peer_say_u32(struct h2_peer *p, uint8_t type, uint32_t id, uint32_t value)
{
	const char payload[4] = {
		(char)(value >> 24), (char)(value >> 16), (char)(value >> 8),
		(char)value
	};

	h2_peer_say(p, type, 0, id, str_of(payload, 4));
}

static void
h2_peer_say_setting(struct h2_peer *p, uint16_t id, uint32_t value)
{
	const char payload[6] = {
		(char)(id >> 8), (char)id, (char)(value >> 24),
		(char)(value >> 16), (char)(value >> 8), (char)value
	};

	h2_peer_say(p, NGHTTP2_SETTINGS, 0, 0, str_of(payload, 6));
}

static void
h2_peer_say_hello(struct h2_peer *p)
{
	if (!p->is_server)
		fuzz_say(p->s, H2_PREFACE.p, H2_PREFACE.n);
	h2_peer_say(p, NGHTTP2_SETTINGS, 0, 0, STR(""));
	h2_peer_say(p, NGHTTP2_SETTINGS, H2_ACK, 0, STR(""));
}

/* The BLOCK of a head in PIECES frames; not all of them if it is CUT. */
static void
h2_peer_say_block(struct h2_peer *p, uint32_t id, uint8_t flags,
    struct str block, unsigned pieces, bool is_cut)
{
	size_t each = block.n / pieces + 1;

	for (unsigned i = 0; i < pieces; i++) {
		bool is_last = i + 1 == pieces;
		uint8_t with = is_last && !is_cut ? H2_END_HEADERS : 0;

		if (i == 0)
			with |= flags;
		h2_peer_say(p, i == 0 ? NGHTTP2_HEADERS : NGHTTP2_CONTINUATION,
		    with, id, str_slice(block, i * each, (i + 1) * each));
	}
}

static struct str
h2_peer_pack(struct h2_peer *p, const nghttp2_nv *nv, size_t n)
{
	size_t cap = nghttp2_hd_deflate_bound(p->deflater, nv, n);
	uint8_t *to = arena_alloc(mock.arena, cap);
	ssize_t got = nghttp2_hd_deflate_hd(p->deflater, to, cap, nv, n);

	ASSERT(got >= 0);
	return str_of((const char *)to, (size_t)got);
}

/* N bytes of the pattern, as the next of the stream. */
static void
h2_peer_say_data(struct h2_peer *p, uint32_t id, size_t n, uint8_t flags)
{
	struct h2_peer_stream *s = h2_peer_stream(p, (int32_t)id);
	struct buf b = buf_in(mock.arena);
	uint64_t from;

	h2_peer_read_said(p);
	from = s != NULL ? s->said : 0;
	if ((flags & H2_PADDED) != 0)
		buf_chr(&b, 3);
	for (size_t i = 0; i < n; i++)
		buf_chr(&b, (char)('0' + (from + i) % 67));
	if ((flags & H2_PADDED) != 0)
		buf_put(&b, "\0\0\0", 3);
	h2_peer_say(p, NGHTTP2_DATA, flags, id, buf_view(&b));
}

#endif
