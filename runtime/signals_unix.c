//go:build cgo && !windows

#include "capi.h"
#include <signal.h>

// Signals that a process cannot handle, or that the C library keeps for itself, fail in sigaction and are passed over.
enum { signals = NSIG };

struct signals { struct sigaction was[signals]; bool known[signals]; };

struct signals *signals_save(void) {
	struct signals *s = calloc(1, sizeof *s);
	if (s == NULL) return NULL;
	for (int i = 1; i < signals; i++) s->known[i] = sigaction(i, NULL, &s->was[i]) == 0;
	return s;
}

static bool same(const struct sigaction *a, const struct sigaction *b) {
	if ((a->sa_flags & SA_SIGINFO) != (b->sa_flags & SA_SIGINFO)) return false;
	return a->sa_flags & SA_SIGINFO ? a->sa_sigaction == b->sa_sigaction : a->sa_handler == b->sa_handler;
}

static bool handles(const struct sigaction *a) {
	return a->sa_flags & SA_SIGINFO || (a->sa_handler != SIG_DFL && a->sa_handler != SIG_IGN);
}

int signals_restore(const struct signals *s) {
	int changed = 0;
	if (s == NULL) return 0;
	for (int i = 1; i < signals; i++) {
		struct sigaction now;
		if (!s->known[i] || sigaction(i, NULL, &now) != 0 || same(&s->was[i], &now)) continue;
		if (handles(&s->was[i])) {
			changed += sigaction(i, &s->was[i], NULL) == 0;
		} else if (handles(&now) && !(now.sa_flags & SA_ONSTACK)) {
			now.sa_flags |= SA_ONSTACK;
			changed += sigaction(i, &now, NULL) == 0;
		}
	}
	return changed;
}
