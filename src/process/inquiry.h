/*
 * An inquiry: one question of OCSP, put to a responder by HTTP, and its answer.
 * It blocks, and is for a thread; what it touches is its own.
 */
#ifndef PROCESS_INQUIRY_H
#define PROCESS_INQUIRY_H

#include "net/tls.h"

#define INQUIRY_HEAD_MAX 8192 /* bytes of a response before its body */
#define INQUIRY_MAX (INQUIRY_HEAD_MAX + TLS_STAPLE_MAX)

struct inquiry_reply {
	struct arena *arena;
	size_t n;
	size_t scanned, head; /* HEAD 0: it is not complete */
	int64_t length;       /* of the body; -1: to the end */
	char bytes[INQUIRY_MAX];
};

struct inquiry {
	const struct tls_question *question;
	int stop; /* a descriptor: readable once nobody waits any more */
	bool is_looking_up; /* which cannot be stopped; atomic */
	struct inquiry_reply reply; /* begins with its arena only */
};

/* False: E says why. OUT is in Q. */
bool inquiry_run(struct inquiry *q, struct str *out, struct err *e);

/* What there is of R, after more has come, or the end. */
enum inquiry_step { INQUIRY_MORE, INQUIRY_DONE, INQUIRY_FAILED };
enum inquiry_step inquiry_read(struct inquiry_reply *r, bool is_end,
    struct str *body, struct err *e);

#endif
