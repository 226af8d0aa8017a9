/*
 * Two buckets that leak: one for streams that came to nothing, one for frames
 * that carry nothing. Each event adds one, each is forgotten at the rate at
 * which its setting allows them. Counted is what the client makes us do, not
 * who says it in the end: a stream that we reset because the client broke the
 * protocol on it costs as much as one that it cancels (CVE-2023-44487 and
 * CVE-2025-8671).
 */
#include "http/h2_score.h"

#include "base/clock.h"

#define POINT 1000u /* one event */
/* Frames that answer DATA: WINDOW_UPDATE of the stream and of the connection,
 * and a PING to measure by. No more are saved up than one round asks for. */
#define CREDIT_PER_DATA 3
#define CREDIT_MAX 4096

enum h2_setting { H2_max_resets, H2_max_control };

static const struct h2_abuse_row {
	const char *word, *text;
	enum h2_setting setting;
} abuses[H2_ABUSE_COUNT] = {
#define ABUSE(name, setting, word, text) \
	[H2_ABUSE_##name] = { word, text, H2_##setting },
#include "http/h2_abuse.def"
#undef ABUSE
};

const char *
h2_abuse_word(enum h2_abuse a)
{
	return abuses[a].word;
}

const char *
h2_abuse_text(enum h2_abuse a)
{
	return abuses[a].text;
}

static void
h2_score_leak(uint64_t *level, int64_t max, uint64_t ms)
{
	uint64_t gone = ms >= H2_SCORE_WITHIN ? *level :
	    (uint64_t)max * POINT * ms / H2_SCORE_WITHIN;

	*level -= gone < *level ? gone : *level;
}

static void
h2_score_fade(struct h2_score *s, const struct h2_conf *conf)
{
	uint64_t now = clock_ms(), ms = now - s->as_of;

	h2_score_leak(&s->resets, conf->max_resets, ms);
	h2_score_leak(&s->control, conf->max_control, ms);
	s->as_of = now;
}

bool
h2_score_add(struct h2_score *s, const struct h2_conf *conf, enum h2_abuse a)
{
	bool is_reset = abuses[a].setting == H2_max_resets;
	uint64_t *level = is_reset ? &s->resets : &s->control;
	int64_t max = is_reset ? conf->max_resets : conf->max_control;

	if ((a == H2_ABUSE_WINDOW || a == H2_ABUSE_PING) && s->credit > 0) {
		s->credit--;
		return true;
	}
	h2_score_fade(s, conf);
	*level += POINT;
	return *level <= (uint64_t)max * POINT;
}

void
h2_score_sent(struct h2_score *s)
{
	if (s->credit < CREDIT_MAX)
		s->credit += CREDIT_PER_DATA;
}
