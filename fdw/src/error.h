/* Errors at the SQL edge. Everything here raises ERROR and does not return. */
#ifndef LINUXSQL_ERROR_H
#define LINUXSQL_ERROR_H

#include "postgres.h"

/* 08P01: the peer behind `path` sent what docs/protocol.md does not allow. Close the connection first. */
_Noreturn extern void error_protocol(const char *path, const char *format, ...) pg_attribute_printf(2, 3);

/* 08001: nobody answers at `path`; `hint` says how to start whoever should. */
_Noreturn extern void error_unavailable(const char *path, const char *who, const char *reason,
                                        const char *hint);

/* 08006: the connection ended in the middle of an answer. */
_Noreturn extern void error_lost(const char *path, const char *who);

/* The payload of an ERROR frame, raised with its own SQLSTATE, message, detail and hint.
 * The SQLSTATE must be one of an error (not class 00, 01 or 02), otherwise 08P01. */
_Noreturn extern void error_from_peer(const char *path, const char *payload, size_t length);

#endif /* LINUXSQL_ERROR_H */
