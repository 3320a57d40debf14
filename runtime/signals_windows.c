//go:build cgo && windows

#include "capi.h"

struct signals *signals_save(void) { return NULL; }
int signals_restore(const struct signals *s) { (void)s; return 0; }
