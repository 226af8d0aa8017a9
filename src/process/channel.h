/*
 * The channel between the master and one child: typed messages over a
 * socketpair of packets, one message a packet, a descriptor with it where its
 * kind says so. Nothing else passes between processes.
 */
#ifndef PROCESS_CHANNEL_H
#define PROCESS_CHANNEL_H

#include "event/loop.h"

/* MESSAGE(id, direction, payload) */
#define MESSAGES \
	MESSAGE(READY,       "child to master", "it serves") \
	MESSAGE(BEAT,        "child to master", "its loop turns; value: lines lost from the error log") \
	MESSAGE(DRAIN,       "master to child", "finish what you have, then exit; value: ms") \
	MESSAGE(STOP,        "master to child", "exit at once") \
	MESSAGE(ERROR_LOG,   "master to child", "a descriptor for the error log") \
	MESSAGE(STDERR,      "master to child", "a descriptor in place of the terminal") \
	MESSAGE(LOG_FILE,    "master to child", "a descriptor for the log file of that path") \
	MESSAGE(TICKET_KEYS, "master to child", "struct tls_ticket_keys") \
	MESSAGE(CERTIFICATE, "master to child", "a descriptor for that certificate; its generation") \
	MESSAGE(STAPLE,      "scout to workers", "a descriptor for an OCSP answer")

enum message_type {
#define MESSAGE(id, direction, text) MESSAGE_##id,
	MESSAGES
#undef MESSAGE
	MESSAGE_COUNT
};
const char *message_name(enum message_type t);

#define CHANNEL_PAYLOAD 4096 /* a path */

struct message {
	uint32_t type; /* enum message_type */
	uint32_t size; /* of payload */
	uint64_t value;
	char payload[CHANNEL_PAYLOAD];
};

struct channel {
	struct io io;
	struct loop *loop;
	/* FD is -1 or the receiver's to close. */
	void (*received)(struct channel *c, const struct message *m, int fd);
	/* The other end is gone. The channel is closed already. */
	void (*closed)(struct channel *c);
};

/* Both ends; [0] is the master's. */
bool channel_pair(int fds[2], struct err *e);
bool channel_open(struct channel *c, struct loop *l, int fd, struct err *e);
void channel_close(struct channel *c);
/* Never blocks; false if the other end is gone or its queue is full. FD (-1:
 * none) is sent along and stays the caller's. */
bool channel_send(struct channel *c, enum message_type type, uint64_t value,
    const void *payload, size_t size, int fd);

#endif
