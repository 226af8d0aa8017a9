/* What gRPC adds to HTTP/2: deadlines, and failures that its clients read. */
#ifndef HTTP_GRPC_H
#define HTTP_GRPC_H

#include "http/txn.h"

#define GRPC_DEADLINE_EXCEEDED 4

/* Whether who sent the request reads grpc-status. */
bool grpc_is_request(const struct txn *t);
/* The code for an HTTP status. */
unsigned grpc_code(int status);
/* The value of grpc-timeout in ms, rounded up; false: malformed. */
bool grpc_parse_timeout(struct str value, uint64_t *ms);
/* Adds the fields that tell how a call ended. */
void grpc_say(struct head *fields, unsigned code, struct str message);
/* Makes the response one of a head only, which says so. */
void grpc_reply(struct txn *t, unsigned code, struct str message);

#endif
