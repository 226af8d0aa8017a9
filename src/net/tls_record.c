/* The size of TLS records: two words of each connection, and no clock of their
 * own. */
#include "net/tls_record.h"

#define RECORD_FIRST 1369 /* 1,500 less IPv6, TCP with its options, TLS */
#define RECORD_IDLE 4     /* TICKs */
#define RECORD_TICK 256   /* ms; a clock of 16 bits comes round in hours */

void
tls_record_init(struct tls_record *r, bool grows)
{
	*r = (struct tls_record){
		.most = grows ? RECORD_FIRST : TLS_RECORD_FULL, .grows = grows
	};
}

void
tls_record_begin(struct tls_record *r, uint64_t now)
{
	uint16_t tick = (uint16_t)(now / RECORD_TICK);

	if (r->grows && (uint16_t)(tick - r->wrote_at) >= RECORD_IDLE)
		r->most = RECORD_FIRST;
	r->wrote_at = tick;
}

size_t
tls_record_part(struct tls_record *r, size_t n)
{
	size_t next;

	if (n > r->most && r->most < TLS_RECORD_FULL)
		n = r->most;
	next = r->most + n / 4;
	r->most = next < TLS_RECORD_FULL ? (uint16_t)next : TLS_RECORD_FULL;
	return n;
}
