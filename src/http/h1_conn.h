/*
 * What the files of the HTTP/1 server share: the connection (h1.c), the body
 * of its request (h1_body.c), the writing of its response (h1_respond.c).
 */
#ifndef HTTP_H1_CONN_H
#define HTTP_H1_CONN_H

#include "http/body_rate.h"
#include "http/chunk.h"
#include "http/client.h"
#include "http/h1_parse.h"

#define H1_MAGIC 0x48310001u

enum h1_state {
	H1_IDLE,   /* no byte of the next request yet */
	H1_HEAD,   /* a part of a head is in `in` */
	H1_BUSY,   /* `x` is worked on */
	H1_DRAIN,  /* answered; the rest of the request's body is discarded */
	H1_FLUSH,  /* answered; the rest of the response leaves, then FIN */
	H1_LINGER  /* FIN sent; what still comes is discarded until EOF */
};

/* The body of the request, decoded, as a flow of the transaction. */
struct h1_body {
	struct flow flow;
	struct h1 *h1;
	enum h1_body_kind {
		H1_BODY_LENGTH, H1_BODY_CHUNKED, H1_BODY_RAW
	} kind;
	bool ended;
	bool failed;
	bool continue_owed; /* 100 Continue is sent on the first peek */
	uint64_t left;      /* of H1_BODY_LENGTH */
	uint64_t total;     /* bytes of content so far */
	uint64_t max;       /* 0: no limit */
	struct body_rate rate;
	struct chunk_decoder decoder;
	struct head trailers;
	/* Between a peek and its take: what was looked at. */
	const char *src;
	size_t src_n, used, data_n;
	bool src_is_scratch;
};

enum h1_framing {
	FRAMING_NONE,    /* no body */
	FRAMING_LENGTH,  /* Content-Length */
	FRAMING_CHUNKED,
	FRAMING_CLOSE    /* until the connection ends; also raw after a 101 */
};

/* One request and its response; in the transaction's arena. */
struct h1_exchange {
	struct txn *txn;
	struct h1_body body;
	bool ready;     /* the response stands */
	bool head_sent;
	bool keep;      /* the connection goes on after it */
	bool peer_closes; /* the client said that it will close */
	enum h1_framing framing;
	uint64_t left;       /* FRAMING_LENGTH: bytes of the body to come */
	uint64_t chunk_left; /* FRAMING_CHUNKED: of the chunk begun */
};

/*
 * A client connection. An idle one is this struct and nothing else, so every
 * field counts: there may be ten thousand.
 */
struct h1 {
	union { /* first: the connection is the object */
		struct conn conn;
		struct client client;
	};
	uint8_t state;          /* enum h1_state */
	bool body_waiting : 1;  /* the body flow owes a wake */
	bool sending : 1;       /* the deadline is for the client to read */
	bool is_fresh : 1;      /* it never had a whole request */
	unsigned blank : 3;     /* bytes of empty lines before a head */
	uint16_t scanned;       /* of the head in `in` */
	uint32_t requests;
	const struct http_conf *conf; /* see h1_conf */
	struct h1_exchange *x;
	struct leftover in, out;
	struct task work;
};

/* The protocol settings that hold now: of the site of the request in hand or,
 * between two, of the last one's. */
const struct http_conf *h1_conf(const struct h1 *h);
/* Starts or stops the time-out that fits what is waited for now. */
void h1_set_deadline(struct h1 *h);
/* Cuts the exchange and the connection. */
void h1_abort(struct h1 *h, enum close_reason why);

/* ---- h1_body.c --------------------------------------------------------- */
void h1_body_init(struct h1_body *b, struct h1 *h, struct txn *t,
    const struct h1_request *r);
/* Raw bytes from here on (after a 101). */
void h1_body_upgrade(struct h1_body *b);
enum h1_discard { DISCARD_DONE, DISCARD_WAIT, DISCARD_FAILED };
/* Reads and drops what is left of the body. */
enum h1_discard h1_body_discard(struct h1_body *b);
/* Whether what is left is little enough to be read only to be dropped. */
bool h1_body_is_short(const struct h1_body *b);

/* ---- h1_respond.c ------------------------------------------------------ */
enum h1_progress {
	H1_DONE, /* all of it was taken */
	H1_BLOCKED,
	H1_CUT,   /* its body failed, or is not what was announced */
	H1_FAILED /* the connection failed */
};
/* Writes as much of the response as goes. */
enum h1_progress h1_respond(struct h1 *h);
void h1_interim(struct h1 *h, int status, const struct head *head);
/* Sends what is in `out`; false if the connection failed. */
bool h1_flush(struct h1 *h);

#endif
