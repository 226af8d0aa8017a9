/*
 * How large TLS records are made. A client can use nothing of one before all of
 * it is there. While TCP finds out what the way to it bears, a flight is about
 * as large as all that went before it. So records begin with what fits into a
 * segment, and each is larger than the one before by a quarter, which makes it
 * about a quarter of all that went before: none is waited for beyond its
 * flight. A dozen of them and they are full. After a second of silence, when
 * TCP has begun anew (RFC 5681 section 4.1), so do they.
 */
#ifndef NET_TLS_RECORD_H
#define NET_TLS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_RECORD_FULL 16384 /* RFC 8446 section 5.1 */

struct tls_record {
	uint16_t most;     /* what goes into the next one */
	uint16_t wrote_at; /* in ticks of 256 ms */
	bool grows;
};

/* GROWS: towards a client. An upstream is near, and what it gets are requests:
 * its records are full from the first. */
void tls_record_init(struct tls_record *r, bool grows);
/* Before a write, at NOW (clock_ms). */
void tls_record_begin(struct tls_record *r, uint64_t now);
/* Of N bytes, how many are to be written at once: full records are cut by
 * OpenSSL, as many as there are. They count as written. */
size_t tls_record_part(struct tls_record *r, size_t n);

#endif
