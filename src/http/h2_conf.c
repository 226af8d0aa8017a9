/*
 * The rows of `http2`. They are there without nghttp2, too, so that a file is
 * refused for the reason that holds and not for an unknown key.
 */
#include "http/h2_conf.h"

#include "conf/load.h"

#include <config.h>

static const struct conf_field h2_fields[] = {
	KEY_BOOL(h2_conf, enabled, .dflt = WEIR_HTTP2 ? "on" : "off",
	    .doc = "Whether clients that come over TLS may choose HTTP/2. In "
	    "clear text it is the listener that says so: listeners, h2c."),
	KEY_INT(h2_conf, max_streams, .dflt = "128", .min = "1",
	    .max = "10000",
	    .doc = "How many requests a connection may have at a time."),
	KEY_SIZE(h2_conf, max_window, .dflt = "1m", .min = "64k",
	    .max = "64m",
	    .doc = "How much of a request's body a client may send before it "
	    "was taken: the window begins with 64k and grows, up to this, with "
	    "what the network carries in one round trip."),
	KEY_INT(h2_conf, max_resets, .dflt = "200", .min = "1",
	    .max = "1000000",
	    .doc = "How many requests a client may begin in 10 seconds only to "
	    "take them back, to break the protocol with them or to not read "
	    "their responses. Beyond that the connection is closed."),
	KEY_INT(h2_conf, max_control, .dflt = "1000", .min = "10",
	    .max = "10000000",
	    .doc = "How many frames a client may send in 10 seconds that carry "
	    "nothing: SETTINGS, PING, PRIORITY, WINDOW_UPDATE and empty ones, "
	    "beyond those that answer what was sent to it. Then the connection "
	    "is closed."),
	KEY_END
};

static void
h2_conf_check(struct conf_load *load, void *block)
{
	const struct h2_conf *c = block;

	if (!WEIR_HTTP2 && c->enabled)
		conf_error(load, conf_pos_of(c, &c->enabled), "no-http2",
		    "this weir was built without HTTP/2 (nghttp2)");
}

const struct conf_schema h2_schema = {
	.name = "http2",
	.doc = "HTTP/2 towards clients.",
	.size = sizeof(struct h2_conf),
	.fields = h2_fields,
	.shorthand = "enabled",
	.check = h2_conf_check,
	.example =
	    "http: {http2: {max_streams: 64}}\n"
	    "sites:\n"
	    "  - listen: {https: 8443}\n"
	    "    tls: {self_signed: on}\n"
	    "    http: {http2: off}\n"
	    "    routes:\n"
	    "      - files: /srv/www\n",
};
