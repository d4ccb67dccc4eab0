#include <malloc.h>
#include <mongoc/mongoc.h>

/* The library exports it ("Language binding authors may want to implement an alternate version of this method",
 * mongoc-client.c), but its installed headers don't declare it. user_data is the mongoc_client_t. */
MONGOC_EXPORT (mongoc_stream_t *)
mongoc_client_default_stream_initiator (const mongoc_uri_t *uri,
                                        const mongoc_host_list_t *host,
                                        void *user_data,
                                        bson_error_t *error);
