// Counts what a process copies between its memory and a CUDA device. Preloaded, it stands before the CUDA runtime's functions
// that copy, and hands every call on:
//
//   cc -O2 -shared -fPIC -o libcuda_bus.so cuda_bus.c -ldl
//   LD_PRELOAD=./libcuda_bus.so CUDA_BUS=counts.txt PROGRAM
//
// At the program's end it writes "to_device BYTES COPIES" and "to_host BYTES COPIES" to $CUDA_BUS. Copies within a recorded graph are not seen.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { host_to_device = 1, device_to_host = 2, by_address = 4 };

static atomic_ullong bytes[8], copies[8];

static int name_of(struct dl_phdr_info *info, size_t size, void *to) {
	const char *base = strrchr(info->dlpi_name, '/');
	base = base ? base + 1 : info->dlpi_name;
	if (strncmp(base, "libcudart.so", 12) != 0) return 0;
	strncpy(to, info->dlpi_name, 4095);
	return 1;
}

// function of the CUDA runtime that is loaded, which need not be in the global scope.
static void *function(const char *name) {
	char path[4096] = "";
	dl_iterate_phdr(name_of, path);
	void *library = *path ? dlopen(path, RTLD_NOLOAD | RTLD_LAZY) : NULL;
	void *found = library ? dlsym(library, name) : NULL;
	if (!found) {
		fprintf(stderr, "cuda_bus: the CUDA runtime has no %s\n", name);
		abort();
	}
	return found;
}

static void count(int kind, size_t n) {
	bytes[kind & 7] += n;
	copies[kind & 7]++;
}

int cudaMemcpyAsync(void *to, const void *from, size_t n, int kind, void *stream) {
	static int (*real)(void *, const void *, size_t, int, void *);
	if (!real) real = function("cudaMemcpyAsync");
	count(kind, n);
	return real(to, from, n, kind, stream);
}

int cudaMemcpy(void *to, const void *from, size_t n, int kind) {
	static int (*real)(void *, const void *, size_t, int);
	if (!real) real = function("cudaMemcpy");
	count(kind, n);
	return real(to, from, n, kind);
}

int cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t height, int kind, void *stream) {
	static int (*real)(void *, size_t, const void *, size_t, size_t, size_t, int, void *);
	if (!real) real = function("cudaMemcpy2DAsync");
	count(kind, width * height);
	return real(to, to_pitch, from, from_pitch, width, height, kind, stream);
}

__attribute__((destructor)) static void report(void) {
	const char *path = getenv("CUDA_BUS");
	FILE *out = path ? fopen(path, "w") : NULL;
	if (!out) return;
	fprintf(out, "to_device %llu %llu\nto_host %llu %llu\nby_address %llu %llu\n", bytes[host_to_device], copies[host_to_device],
		bytes[device_to_host], copies[device_to_host], bytes[by_address], copies[by_address]);
	fclose(out);
}
