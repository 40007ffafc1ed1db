#include "store/pin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Set by us for every connection, or the way to what the other options say. */
static bool left_out(const char *keyword) {
  static const char *const names[] = {"service", "application_name", "client_encoding", "password"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(keyword, names[i]) == 0) return true;
  return false;
}

static void put(FILE *out, const char *keyword, const char *value) {
  fprintf(out, "%s='", keyword);
  for (; *value; value++) {
    if (*value == '\'' || *value == '\\') fputc('\\', out);
    fputc(*value, out);
  }
  fputs("' ", out);
}

static bool given(const char *value) { return value && *value; }

static void put_options(FILE *out, const PQconninfoOption *options, bool add_address, const char *address) {
  for (const PQconninfoOption *option = options; option->keyword; option++) {
    bool is_address = strcmp(option->keyword, "hostaddr") == 0;
    if (is_address && add_address)
      put(out, option->keyword, address);
    else if (given(option->val) && !left_out(option->keyword))
      put(out, option->keyword, option->val);
  }
}

static const char *value_of(const PQconninfoOption *options, const char *keyword) {
  while (options->keyword && strcmp(options->keyword, keyword) != 0) options++;
  return options->keyword && options->val ? options->val : "";
}

char *pin_conninfo(const struct link *link, struct pin_needs *needs) {
  PQconninfoOption *options = PQconninfo(link->conn);
  const char *host = PQhost(link->conn), *address = PQhostaddr(link->conn), *password = PQpass(link->conn);
  char *text = NULL;
  size_t size;
  FILE *out = options ? open_memstream(&text, &size) : NULL;
  if (out) {
    bool tcp = given(address);
    bool several = strchr(value_of(options, "host"), ',') || strchr(value_of(options, "hostaddr"), ',');
    needs->internet = tcp || several;
    needs->files =
        several || PQsslInUse(link->conn) || PQgssEncInUse(link->conn) || *value_of(options, "requirepeer");
    put_options(out, options, tcp && !several, address);
    if (!given(value_of(options, "host")) && given(host)) put(out, "host", host);
    if (given(password)) put(out, "password", password);
    if (fclose(out) != 0) {
      free(text);
      text = NULL;
    }
  }
  PQconninfoFree(options);
  return text;
}
