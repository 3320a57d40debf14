//go:build cgo

#include "capi.h"
#include <stdio.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
typedef SRWLOCK Lock;
#define lock_init(l) InitializeSRWLock(l)
#define lock(l) AcquireSRWLockExclusive(l)
#define unlock(l) ReleaseSRWLockExclusive(l)
#else
#include <pthread.h>
typedef pthread_mutex_t Lock;
#define lock_init(l) pthread_mutex_init(l, NULL)
#define lock(l) pthread_mutex_lock(l)
#define unlock(l) pthread_mutex_unlock(l)
#endif

struct log {
	Lock lock;
	bool loud, ended;
	char *text;
	size_t length, room;
};

// chosen is how ONNX Runtime (1.28 to 1.31) begins to say, at the level INFO, that it keeps a node on the CPU.
static const char chosen[] = "Force fallback to CPU execution for node: ";
static const char because[] = " because the CPU execution path";

enum { most = 1 << 24, warning = 2 };

// keep adds the name that a message begins with.
static void keep(struct log *l, const char *name) {
	const char *end = strstr(name, because);
	size_t n = end != NULL ? (size_t)(end - name) : strlen(name);
	if (l->length + n + 2 > most) return;
	if (l->length + n + 2 > l->room) {
		size_t room = 2 * (l->length + n + 2);
		char *text = realloc(l->text, room);
		if (text == NULL) return;
		l->text = text, l->room = room;
	}
	memcpy(l->text + l->length, name, n);
	l->length += n;
	l->text[l->length++] = '\n';
	l->text[l->length] = 0;
}

#ifdef _WIN32
__stdcall
#endif
static void write_log(void *param, int severity, const char *category, const char *id, const char *where, const char *message) {
	struct log *l = param;
	(void)id, (void)where;
	if (l == NULL || message == NULL) return;
	if (l->loud && severity >= warning) fprintf(stderr, "%s: %s\n", category != NULL ? category : "ONNX Runtime", message);
	lock(&l->lock);
	const char *at = l->ended ? NULL : strstr(message, chosen);
	if (at != NULL) keep(l, at + sizeof chosen - 1);
	unlock(&l->lock);
}

struct log *log_new(bool loud) {
	struct log *l = calloc(1, sizeof *l);
	if (l == NULL) return NULL;
	lock_init(&l->lock);
	l->loud = loud;
	return l;
}

const char *log_end(struct log *l) {
	lock(&l->lock);
	l->ended = true;
	unlock(&l->lock);
	return l->text != NULL ? l->text : "";
}

void log_free(struct log *l) {
	if (l == NULL) return;
	free(l->text);
	free(l);
}

Status log_attach(Table t, void *session_options, struct log *l) {
	return ((Status (*)(void *, void *, void *))t[SlotSetUserLoggingFunction])(session_options, (void *)write_log, l);
}
