/* Messages between processes: whole, in order, with descriptors; and what is
 * no message is dropped without harm to the next. */
#include "process/channel.c"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* The master's end sends by hand or by `here`; what arrives at `there` is
 * kept. */
struct world {
	struct loop_stats stats;
	struct loop *loop;
	struct channel here, there;
	unsigned n;
	struct message last;
	int fd; /* that came with the last; -1 */
	bool is_closed;
	bool closes_itself; /* from inside the callback */
};

static struct world *
world_of(struct channel *c)
{
	return CONTAINER_OF(c, struct world, there);
}

static void
on_received(struct channel *c, const struct message *m, int fd)
{
	struct world *w = world_of(c);

	w->n++;
	w->last = *m;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	if (w->closes_itself)
		channel_close(c);
}

static void
on_closed(struct channel *c)
{
	world_of(c)->is_closed = true;
}

static int
world_open(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	int fds[2];
	struct err e;

	w->loop = loop_new(&w->stats, &e);
	w->fd = -1;
	assert_true(channel_pair(fds, &e));
	w->there.received = w->here.received = on_received;
	w->there.closed = w->here.closed = on_closed;
	assert_true(channel_open(&w->here, w->loop, fds[0], &e));
	assert_true(channel_open(&w->there, w->loop, fds[1], &e));
	*state = w;
	return 0;
}

static int
world_close(void **state)
{
	struct world *w = *state;

	if (w->fd >= 0)
		close(w->fd);
	channel_close(&w->here);
	channel_close(&w->there);
	loop_end(w->loop);
	free(w);
	return 0;
}

/* A packet that no channel_send would make. */
static void
send_raw(struct world *w, const void *p, size_t n)
{
	assert_int_equal(send(w->here.io.fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

static unsigned
open_files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
a_message_arrives_as_it_was_sent(void **state)
{
	struct world *w = *state;

	assert_true(channel_send(&w->here, MESSAGE_TICKET_KEYS, UINT64_MAX,
	    "keys", 4, -1));
	loop_tick(w->loop, 0);
	assert_int_equal(w->n, 1);
	assert_int_equal(w->last.type, MESSAGE_TICKET_KEYS);
	assert_true(w->last.value == UINT64_MAX);
	assert_int_equal(w->last.size, 4);
	assert_memory_equal(w->last.payload, "keys", 4);
	assert_int_equal(w->fd, -1);
}

static void
the_largest_payload_fits(void **state)
{
	struct world *w = *state;
	char payload[CHANNEL_PAYLOAD];

	memset(payload, 'x', sizeof payload);
	assert_true(channel_send(&w->here, MESSAGE_LOG_FILE, 0, payload,
	    sizeof payload, -1));
	loop_tick(w->loop, 0);
	assert_int_equal(w->last.size, sizeof payload);
	assert_memory_equal(w->last.payload, payload, sizeof payload);
}

static void
messages_stay_apart_and_in_order(void **state)
{
	struct world *w = *state;

	for (uint64_t i = 1; i <= 20; i++)
		assert_true(channel_send(&w->here, MESSAGE_BEAT, i, NULL, 0,
		    -1));
	loop_tick(w->loop, 0);
	assert_int_equal(w->n, 20);
	assert_int_equal(w->last.value, 20);
}

static void
what_was_sent_before_the_end_is_not_lost_with_it(void **state)
{
	struct world *w = *state;

	assert_true(channel_send(&w->here, MESSAGE_DRAIN, 5, NULL, 0, -1));
	channel_close(&w->here);
	loop_tick(w->loop, 0);
	assert_int_equal(w->last.type, MESSAGE_DRAIN);
	assert_true(w->is_closed);
}

static void
a_descriptor_is_passed_and_stays_the_senders(void **state)
{
	struct world *w = *state;
	int fds[2];
	char c = 0;

	assert_int_equal(pipe(fds), 0);
	assert_true(channel_send(&w->here, MESSAGE_ERROR_LOG, 0, NULL, 0,
	    fds[1]));
	loop_tick(w->loop, 0);
	assert_true(w->fd >= 0 && w->fd != fds[1]);
	assert_true(fcntl(w->fd, F_GETFD) & FD_CLOEXEC);
	close(fds[1]); /* ours: the other one is another */
	assert_int_equal(write(w->fd, "x", 1), 1);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	close(fds[0]);
}

static void
what_is_no_message_is_dropped(void **state)
{
	struct world *w = *state;
	struct message m = {.type = MESSAGE_BEAT, .size = 3};

	send_raw(w, &m, 1);
	send_raw(w, &m, HEAD_SIZE - 1);
	send_raw(w, &m, HEAD_SIZE);     /* where are its three bytes? */
	send_raw(w, &m, HEAD_SIZE + 4); /* one too many */
	m.size = UINT32_MAX;
	send_raw(w, &m, sizeof m);
	m = (struct message){.type = MESSAGE_COUNT};
	send_raw(w, &m, HEAD_SIZE);
	m.type = UINT32_MAX;
	send_raw(w, &m, HEAD_SIZE);
	loop_tick(w->loop, 0);
	assert_int_equal(w->n, 0);

	assert_true(channel_send(&w->here, MESSAGE_BEAT, 1, NULL, 0, -1));
	loop_tick(w->loop, 0);
	assert_int_equal(w->n, 1);
	assert_false(w->is_closed);
}

static void
the_descriptor_of_a_malformed_message_is_closed(void **state)
{
	struct world *w = *state;
	struct message m = {.type = MESSAGE_COUNT};
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {&m, HEAD_SIZE};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof control
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	unsigned before = open_files();
	int fd = STDERR_FILENO;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	assert_int_equal(sendmsg(w->here.io.fd, &msg, 0), HEAD_SIZE);
	loop_tick(w->loop, 0);
	assert_int_equal(w->n, 0);
	assert_int_equal(open_files(), before);
}

static void
the_end_of_the_other_end_is_told_once(void **state)
{
	struct world *w = *state;

	channel_close(&w->here);
	loop_tick(w->loop, 0);
	assert_true(w->is_closed);
	assert_int_equal(w->there.io.fd, -1);
	w->is_closed = false;
	loop_tick(w->loop, 0);
	assert_false(w->is_closed);
}

static void
sending_to_nobody_fails_without_a_signal(void **state)
{
	struct world *w = *state;

	signal(SIGPIPE, SIG_DFL);
	close(w->there.io.fd);
	w->there.io.fd = -1;
	assert_false(channel_send(&w->here, MESSAGE_STOP, 0, NULL, 0, -1));
	channel_close(&w->here);
	assert_false(channel_send(&w->here, MESSAGE_STOP, 0, NULL, 0, -1));
}

static void
a_full_queue_is_an_answer_and_does_not_block(void **state)
{
	struct world *w = *state;
	unsigned sent = 0;

	while (sent < 100000 &&
	    channel_send(&w->here, MESSAGE_BEAT, sent, NULL, 0, -1))
		sent++;
	assert_in_range(sent, 1, 99999);
	loop_tick(w->loop, 0);
	assert_int_equal(w->n, sent);
	assert_true(channel_send(&w->here, MESSAGE_BEAT, 0, NULL, 0, -1));
}

static void
a_channel_may_be_closed_by_its_own_callback(void **state)
{
	struct world *w = *state;

	w->closes_itself = true;
	for (int i = 0; i < 2; i++)
		assert_true(channel_send(&w->here, MESSAGE_STOP, 0, NULL, 0,
		    -1));
	loop_tick(w->loop, 0);
	assert_int_equal(w->n, 1);
	assert_false(w->is_closed);
	channel_close(&w->there); /* twice is harmless */
}

static void
every_message_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(message_name(MESSAGE_READY), "READY");
	assert_string_equal(message_name(MESSAGE_COUNT - 1), "STAPLE");
	assert_string_equal(message_name(MESSAGE_COUNT), "?");
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_open, world_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_arrives_as_it_was_sent),
		TEST(the_largest_payload_fits),
		TEST(messages_stay_apart_and_in_order),
		TEST(what_was_sent_before_the_end_is_not_lost_with_it),
		TEST(a_descriptor_is_passed_and_stays_the_senders),
		TEST(what_is_no_message_is_dropped),
		TEST(the_descriptor_of_a_malformed_message_is_closed),
		TEST(the_end_of_the_other_end_is_told_once),
		TEST(sending_to_nobody_fails_without_a_signal),
		TEST(a_full_queue_is_an_answer_and_does_not_block),
		TEST(a_channel_may_be_closed_by_its_own_callback),
		cmocka_unit_test(every_message_has_a_name)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
