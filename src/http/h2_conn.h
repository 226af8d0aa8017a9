/*
 * What the files of the HTTP/2 server share: the connection (h2.c), what it
 * sends (h2_send.c), its streams (h2_stream.c), their heads (h2_head.c) and
 * bodies (h2_body.c).
 *
 * nghttp2 calls back in the middle of its work. Nothing that could run a step,
 * end a transaction or call it again happens there: what was learned is noted
 * in the stream, which is put on `todo`, and h2_work goes through that.
 */
#ifndef HTTP_H2_CONN_H
#define HTTP_H2_CONN_H

#include "http/body_rate.h"
#include "http/h2.h"
#include "http/h2_head.h"
#include "http/h2_score.h"
#include "http/h2_store.h"
#include "http/request.h"
#include "http/site.h"
#include "net/listener.h"

#define H2_MAGIC 0x48320001u

struct h2_stream;

/* The body of a request, buffered as far as its window allows. */
struct h2_body {
	struct flow flow;
	struct leftover in; /* came and was not taken */
	bool ended : 1;   /* the client has sent all of it */
	bool failed : 1;
	bool waiting : 1; /* the flow owes a wake */
	bool is_raw : 1;  /* after a 101 of the upstream */
	bool closed : 1;
	bool continue_owed : 1; /* 100 is sent on the first peek */
	uint64_t received, max; /* bytes; max 0: no limit */
	struct body_rate rate;
};

/* One request and its response; in the transaction's arena. */
struct h2_stream {
	struct list link; /* more.streams */
	struct list todo; /* h2.todo */
	struct h2 *h2;
	struct txn *txn;
	int32_t id;
	bool head_done : 1; /* the head is whole */
	bool begun : 1;     /* the transaction runs, or was answered for */
	bool ready : 1;     /* the response stands */
	bool submitted : 1; /* nghttp2 has it */
	bool deferred : 1;  /* nghttp2 waits for nghttp2_session_resume_data */
	bool sent_end : 1;
	bool gone : 1;      /* nghttp2 has forgotten it */
	bool reset : 1;     /* we have reset it */
	uint8_t why;        /* enum close_reason, if it ended badly */
	uint8_t refusal;    /* enum refusal: its head is malformed */
	struct h2_head head;
	struct head *trailers; /* of the request; NULL: none yet */
	struct h2_body body;
	size_t weight; /* as counted in more.weight */
	struct timer timer; /* for the body or for the client to read */
	int64_t left;       /* of the response body; -1: unknown */
	struct span span;
};

/* What an idle connection of HTTP/1 does not need. */
struct h2_more {
	struct list streams;
	struct h2_score score;
	struct h2_store store; /* what nghttp2 holds */
	size_t weight;    /* what all streams hold */
	size_t held;      /* bytes of bodies that nobody took yet */
	size_t owed;      /* of the connection's window, not yet given back */
	uint64_t head_since; /* clock_ms: a head is incomplete; 0: none */
	size_t unpacked;     /* of the last head or its trailers */
	struct buf buf;   /* over the scratch page, while sending */
	bool paused;      /* the page is full */
	uint64_t said_notice; /* clock_ms of the first GOAWAY */
	/* How much comes in a round trip; see h2_window.c. */
	bool is_probing;
	uint64_t probe_at, probe_bytes;
	int32_t window;
};

enum h2_goodbye { GOODBYE_NONE, GOODBYE_NOTICE, GOODBYE_FINAL };

enum h2_phase {
	H2_OPEN,
	H2_FLUSH, /* nothing is taken in; the last words leave, then FIN */
	H2_LINGER /* FIN sent; what still comes is discarded until EOF */
};

struct h2 {
	union { /* first: the connection is the object */
		struct conn conn;
		struct client client;
	};
	bool sending : 1; /* the deadline is for the client to read */
	bool is_idle : 1; /* counted as such */
	bool is_fresh : 1;
	bool is_working : 1; /* what is noted now is done in a moment */
	bool reads_on : 1;   /* it paused with more to read */
	bool was_early : 1;  /* its streams do not know yet that it is over */
	bool is_roused : 1;  /* what nghttp2 holds was laid out again */
	bool is_parting : 1; /* it takes no further request */
	uint8_t phase;    /* enum h2_phase */
	uint8_t goodbye;  /* enum h2_goodbye */
	uint8_t why;      /* enum close_reason, once it is being terminated */
	uint32_t requests;
	uint32_t n_streams;
	struct nghttp2_session *session;
	struct h2_more *more;
	struct list todo; /* struct h2_stream.todo */
	struct leftover out;
	struct task work;
};

/* Those of the address, for what concerns the whole connection. */
const struct http_conf *h2_conf(const struct h2 *h);
/* Does what is to be done, later in this tick. */
void h2_wake(struct h2 *h);
void h2_do(struct h2_stream *s);
/* Ends the connection with GOAWAY; WHY is for the log. */
void h2_terminate(struct h2 *h, uint32_t error_code, enum close_reason why);
/* Ends the connection for it, and says so. */
void h2_condemn(struct h2 *h, enum h2_abuse a);
/* Something was done that only costs; may end the connection. */
void h2_blame(struct h2 *h, enum h2_abuse a);
/* Whether it has a request; a request may come and go within one tick. */
void h2_note_idle(struct h2 *h, bool is_idle);
/* Something of the connection's window was used, or was given free. */
void h2_settle_window(struct h2 *h);

/* ---- h2_session.c ------------------------------------------------------ */
/* False: there is no memory for it. */
bool h2_session_open(struct h2 *h);

/* ---- h2_send.c --------------------------------------------------------- */
/* Sends what there is and goes; false: the connection failed. */
bool h2_send(struct h2 *h);
bool h2_is_sending(const struct h2 *h);
/* The response stands: nghttp2 gets its head and where its body comes from. */
void h2_stream_submit(struct h2_stream *s);
void h2_stream_interim(struct h2_stream *s, int status,
    const struct head *head);
/* Writes a frame of DATA: its HEAD of 9 bytes, and N bytes of the body that
 * were looked at. Answers as nghttp2 wants to know. */
int h2_stream_send_data(struct h2_stream *s, const uint8_t *head, size_t n);

/* ---- h2_stream.c ------------------------------------------------------- */
struct h2_stream *h2_stream_new(struct h2 *h, int32_t id);
/* What can be done now is done; the stream may be gone on return. */
void h2_stream_turn(struct h2_stream *s);
void h2_stream_reset(struct h2_stream *s, uint32_t error_code,
    enum close_reason why);
/* Ends the transaction and the stream, whatever nghttp2 thinks of it. */
void h2_stream_end(struct h2_stream *s, enum close_reason why);
/* Waits for MS, from now on, for the client to read. */
void h2_stream_await_reader(struct h2_stream *s);
void h2_stream_await_body(struct h2_stream *s);

/* ---- h2_body.c --------------------------------------------------------- */
void h2_body_init(struct h2_stream *s);
/* Fails it if more of it has come than may. */
void h2_body_weigh(struct h2_stream *s);
void h2_body_receive(struct h2_stream *s, const void *p, size_t n);
void h2_body_end(struct h2_stream *s);
void h2_body_upgrade(struct h2_stream *s);
void h2_body_fail(struct h2_stream *s);
void h2_body_drop(struct h2_stream *s);

/* ---- h2_memory.c ------------------------------------------------------- */
/* What S holds has changed; and before it ends. */
void h2_memory_weigh(struct h2_stream *s);
void h2_memory_forget(struct h2_stream *s);
/* For another stream. */
bool h2_memory_has_room(const struct h2 *h);
/* The widest window that it may have. */
uint64_t h2_memory_window(const struct h2 *h);
/* It holds less than it did. */
void h2_memory_note(struct h2 *h);
/* False: it holds too much, and is being terminated. */
bool h2_memory_judge(struct h2 *h);

/* ---- h2_window.c ------------------------------------------------------- */
/* N bytes of a body came. */
void h2_window_measure(struct h2 *h, int32_t id, size_t n);
/* The answer to a PING that measures. */
void h2_window_pong(struct h2 *h);
extern const uint8_t h2_window_ping[8];

#endif
