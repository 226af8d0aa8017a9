/*
 * gRPC, as far as a proxy has a part in it. Its calls are HTTP/2 requests like
 * others; only what we ourselves have to say about them has a form of its own:
 * a status of 200 and the failure in fields, "Trailers-Only" in gRPC's
 * description of its protocol. Nothing here looks into messages.
 */
#include "http/grpc.h"

/* As gRPC's "HTTP to gRPC Status Code Mapping" has it for its clients. */
static const struct {
	int status;
	unsigned code;
} grpc_codes[] = {
	{400, 13}, /* INTERNAL */
	{401, 16}, /* UNAUTHENTICATED */
	{403, 7},  /* PERMISSION_DENIED */
	{404, 12}, /* UNIMPLEMENTED */
	{429, 14}, /* UNAVAILABLE */
	{502, 14},
	{503, 14},
	{504, 14},
};

/* TimeoutUnit: how many ms it has, or how many a ms has. */
static const struct {
	char unit;
	uint64_t times, by;
} grpc_units[] = {
	{'H', 3600000, 1}, {'M', 60000, 1}, {'S', 1000, 1},
	{'m', 1, 1}, {'u', 1, 1000}, {'n', 1, 1000000},
};

bool
grpc_is_request(const struct txn *t)
{
	struct str type = head_value(&t->req.head, FIELD_CONTENT_TYPE);
	struct str name = STR("application/grpc");

	/* What it says it is counts, not its route: it may have none. Not
	 * application/grpc-web, which is another protocol. Calls are POST: a
	 * GET that failed with 200 would be kept by caches, for everybody. */
	return t->req.method == METHOD_POST && type.n >= name.n &&
	    str_case_eq(str_slice(type, 0, name.n), name) &&
	    (type.n == name.n || strchr("+; ", type.p[name.n]) != NULL);
}

unsigned
grpc_code(int status)
{
	for (size_t i = 0; i < COUNT_OF(grpc_codes); i++)
		if (grpc_codes[i].status == status)
			return grpc_codes[i].code;
	return 2; /* UNKNOWN */
}

bool
grpc_parse_timeout(struct str value, uint64_t *ms)
{
	uint64_t n;

	/* TimeoutValue is a positive integer of at most 8 digits, so that no
	 * unit makes it overflow. */
	if (value.n < 2 || value.n > 9 ||
	    !str_to_u64(str_slice(value, 0, value.n - 1), &n))
		return false;
	for (size_t i = 0; i < COUNT_OF(grpc_units); i++)
		if (value.p[value.n - 1] == grpc_units[i].unit) {
			*ms = (n * grpc_units[i].times +
			    grpc_units[i].by - 1) / grpc_units[i].by;
			return true;
		}
	return false;
}

/* Status-Message: UTF-8, of which only printable ASCII stands for itself. */
static struct str
grpc_escape(struct arena *a, struct str message)
{
	struct buf b = buf_in(a);

	for (size_t i = 0; i < message.n; i++) {
		char c = message.p[i];

		if (c >= ' ' && c <= '~' && c != '%')
			buf_chr(&b, c);
		else
			buf_printf(&b, "%%%02X", (unsigned char)c);
	}
	return buf_view(&b);
}

void
grpc_say(struct head *fields, unsigned code, struct str message)
{
	struct arena *a = fields->arena;

	head_add(fields, FIELD_OTHER, STR("grpc-status"),
	    arena_strf(a, "%u", code));
	head_add(fields, FIELD_OTHER, STR("grpc-message"),
	    grpc_escape(a, message));
}

void
grpc_reply(struct txn *t, unsigned code, struct str message)
{
	txn_reply(t, 200);
	txn_reply_field(t, FIELD_CONTENT_TYPE, STR("application/grpc"));
	grpc_say(&t->res.head, code, message);
}
