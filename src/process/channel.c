/*
 * Messages between the master and a child. A packet is a struct message cut to
 * its payload; what does not have that shape is dropped and logged, since only
 * our own processes can be at the other end.
 */
#include "process/channel.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/panic.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_SIZE offsetof(struct message, payload)

const char *
message_name(enum message_type t)
{
	static const char *const names[] = {
#define MESSAGE(id, direction, text) #id,
		MESSAGES
#undef MESSAGE
	};

	return t < MESSAGE_COUNT ? names[t] : "?";
}

bool
channel_pair(int fds[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	        0, fds) != 0)
		return err_sys(e, "cannot make a socketpair");
	return true;
}

static int
channel_take_fd(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

enum received { RECEIVED, NOTHING, GONE };

static enum received
channel_receive(struct channel *c, struct message *m, int *fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { m, sizeof *m };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof control
	};
	ssize_t n;

	do
		n = recvmsg(c->io.fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return NOTHING;
	if (n <= 0)
		return GONE;

	*fd = channel_take_fd(&msg);
	if ((size_t)n < HEAD_SIZE || m->type >= MESSAGE_COUNT ||
	    (size_t)n != HEAD_SIZE + m->size) {
		log_error("a malformed message of %zd bytes was dropped", n);
		fd_close(fd);
		m->type = MESSAGE_COUNT;
	}
	return RECEIVED;
}

static void
channel_on_ready(struct io *io, unsigned events)
{
	struct channel *c = CONTAINER_OF(io, struct channel, io);
	struct message m;
	int fd;

	(void)events;
	while (c->io.fd >= 0) {
		switch (channel_receive(c, &m, &fd)) {
		case RECEIVED:
			if (m.type != MESSAGE_COUNT)
				c->received(c, &m, fd);
			break;
		case NOTHING:
			return;
		case GONE:
			channel_close(c);
			c->closed(c);
			return;
		}
	}
}

bool
channel_open(struct channel *c, struct loop *l, int fd, struct err *e)
{
	c->loop = l;
	c->io = (struct io){
		.fd = fd, .name = "channel", .ready = channel_on_ready
	};
	return loop_add_io(l, &c->io, e);
}

void
channel_close(struct channel *c)
{
	if (c->io.fd < 0)
		return;
	loop_forget_io(c->loop, &c->io);
	fd_close(&c->io.fd);
}

bool
channel_send(struct channel *c, enum message_type type, uint64_t value,
    const void *payload, size_t size, int fd)
{
	struct message m = {
		.type = type, .size = (uint32_t)size, .value = value
	};
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &m, HEAD_SIZE + size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	ASSERT(size <= CHANNEL_PAYLOAD);
	if (c->io.fd < 0)
		return false;
	if (size > 0)
		memcpy(m.payload, payload, size);
	if (fd >= 0) {
		struct cmsghdr *cm;

		memset(control, 0, sizeof control);
		msg.msg_control = control;
		msg.msg_controllen = sizeof control;
		cm = CMSG_FIRSTHDR(&msg);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(cm), &fd, sizeof fd);
	}
	do
		n = sendmsg(c->io.fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}
