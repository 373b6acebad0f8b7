/*
 * Preloaded after AddressSanitizer's runtime when a sanitized extension runs in a stock server: an early constructor of
 * the runtime leaves glibc's lock for message catalogs held, so that the server's first bindtextdomain() would hang.
 * The tests run with untranslated messages anyway.
 */
#include <stddef.h>

char *bindtextdomain(const char *domain, const char *directory) { (void)domain; return (char *)directory; }
char *bind_textdomain_codeset(const char *domain, const char *codeset) { (void)domain; return (char *)codeset; }
char *textdomain(const char *domain) { return (char *)domain; }
char *gettext(const char *id) { return (char *)id; }
char *dgettext(const char *domain, const char *id) { (void)domain; return (char *)id; }
char *dcgettext(const char *domain, const char *id, int category) { (void)domain; (void)category; return (char *)id; }
char *ngettext(const char *one, const char *many, unsigned long n) { return (char *)(n == 1 ? one : many); }
char *dngettext(const char *domain, const char *one, const char *many, unsigned long n)
{
  (void)domain;
  return (char *)(n == 1 ? one : many);
}
